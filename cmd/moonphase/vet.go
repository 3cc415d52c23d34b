package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/transpile"
)

func newVetCmd() *cobra.Command {
	var (
		prefix  string
		modules []string
		format  string
		ignore  []string
	)
	cmd := &cobra.Command{
		Use:   "vet [-p PREFIX] nginx.conf, FILE.lua or DIR ...",
		Short: "Report every mistake that can be known before a request comes in",
		Long: `vet reads configs, Lua files and folders of them and prints what is wrong, by
file, line and column, with everything that the server's -t says about the configuration.
Exit code: 0 nothing found but notes, 1 findings, 2 it could not run.
"moonphase explain CODE" says more about a finding; the comment
"-- moonphase:ignore CODE" on its line, or on a line of its own above, silences a warning.`,
		Example: `  moonphase vet nginx.conf lua/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("vet needs a config, a Lua file or a folder")
			}
			found, err := vet(args, prefix, modules)
			if err != nil {
				return err
			}
			found = slices.DeleteFunc(found, func(d transpile.Diagnostic) bool { return slices.Contains(ignore, string(d.Code)) })
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
	cmd.Flags().StringVarP(&prefix, "prefix", "p", "", prefixHelp)
	cmd.Flags().StringVar(&format, "format", "text", "one of "+strings.Join(transpile.Formats, ", "))
	cmd.Flags().StringSliceVar(&ignore, "ignore", nil, "codes of findings to leave out")
	cmd.Flags().StringSliceVar(&modules, "module", nil, "modules whose names are computed at run time, by name or glob")
	return cmd
}

// vet collects the findings about every input, sorted by position.
func vet(inputs []string, prefix string, modules []string) ([]transpile.Diagnostic, error) {
	var found []transpile.Diagnostic
	for _, in := range inputs {
		info, err := os.Stat(in)
		if err != nil {
			return nil, err
		}
		var prog *program.Program
		if info.IsDir() || filepath.Ext(in) == ".lua" {
			prog, err = loadProgram("", prefix, []string{in}, modules)
			if err == nil && len(prog.Chunks) == 0 {
				err = fmt.Errorf("no .lua file below %s; a config is named itself: moonphase vet %s", in, filepath.Join(in, "nginx.conf"))
			}
		} else {
			var abs string
			if abs, err = filepath.Abs(in); err != nil {
				return nil, err
			}
			prog, err = loadProgram(abs, prefix, nil, modules)
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
