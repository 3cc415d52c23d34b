package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/transpile"
)

func newVetCmd() *cobra.Command {
	var (
		in     confInput
		format string
	)
	cmd := &cobra.Command{
		Use:   "vet [-p PREFIX] nginx.conf, FILE.lua or DIR ...",
		Short: "Report every mistake that can be known before a request comes in",
		Long: `vet reads configs, Lua files and folders of them and prints what is wrong, by
file, line and column, with everything that the server's -t says about the configuration,
directive by directive.
Exit code: 0 nothing found but notes, 1 findings, 2 it could not run.
"moonphase explain CODE" says more about a finding; the comment
"-- moonphase:ignore CODE" on its line, or on a line of its own above, silences a warning.`,
		Example: `  moonphase vet nginx.conf lua/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("vet needs a config, a Lua file or a folder")
			}
			codes, blocks := splitIgnored(in.ignore)
			in.ignore = blocks
			found, err := vet(args, in)
			if err != nil {
				return err
			}
			found = slices.DeleteFunc(found, func(d transpile.Diagnostic) bool { return slices.Contains(codes, string(d.Code)) })
			fromHere(found)
			if format == "text" {
				printFindings(cmd.OutOrStdout(), found)
			} else if err := transpile.WriteReport(cmd.OutOrStdout(), format, found); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(d transpile.Diagnostic) bool { return d.Severity != transpile.Note }) {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	in.flags(cmd.Flags())
	cmd.Flags().Lookup("ignore").Usage = "leave out findings of this code, or this outermost block (stream); can be repeated"
	cmd.Flags().StringVar(&format, "format", "text", "one of "+strings.Join(transpile.Formats, ", "))
	return cmd
}

var isCode = regexp.MustCompile(`^[A-Z]\d{4}$`)

// splitIgnored tells the codes of findings from the names of blocks.
func splitIgnored(list []string) (codes, blocks []string) {
	for _, word := range list {
		if isCode.MatchString(word) {
			codes = append(codes, word)
		} else {
			blocks = append(blocks, word)
		}
	}
	return codes, blocks
}

// vet collects the findings about every input, sorted by position.
func vet(inputs []string, opt confInput) ([]transpile.Diagnostic, error) {
	var found []transpile.Diagnostic
	for _, in := range inputs {
		info, err := os.Stat(in)
		if err != nil {
			return nil, err
		}
		var prog *program.Program
		if info.IsDir() || filepath.Ext(in) == ".lua" {
			prog, err = opt.load("", []string{in})
			if err == nil && len(prog.Chunks) == 0 {
				err = fmt.Errorf("no .lua file below %s; a config is named itself: moonphase vet %s", in, filepath.Join(in, "nginx.conf"))
			}
		} else {
			var abs string
			if abs, err = filepath.Abs(in); err != nil {
				return nil, err
			}
			prog, err = opt.load(abs, nil)
		}
		var refused *exitError
		switch {
		case errors.As(err, &refused):
			found = append(found, program.ConfFinding(refused.err))
		case err != nil:
			return nil, err
		default:
			found = append(found, prog.Findings...)
			found = append(found, prog.Vet()...)
		}
	}
	return sorted(found), nil
}

// fromHere names files below the working folder relative to it, as editors and
// GitHub want them.
func fromHere(found []transpile.Diagnostic) {
	here, err := os.Getwd()
	if err != nil {
		return
	}
	short := func(name string) string {
		if rel, err := filepath.Rel(here, name); err == nil && filepath.IsLocal(rel) {
			return rel
		}
		return name
	}
	for i := range found {
		found[i].File = short(found[i].File)
		for j := range found[i].Notes {
			found[i].Notes[j].File = short(found[i].Notes[j].File)
		}
	}
}

// printFindings writes diagnostics as text, coloured for a terminal unless
// NO_COLOR is set.
func printFindings(w io.Writer, found []transpile.Diagnostic) {
	transpile.WriteText(w, found, isTerminal(w) && os.Getenv("NO_COLOR") == "")
}
