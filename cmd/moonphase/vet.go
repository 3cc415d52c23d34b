package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/transpile"
)

func newVetCmd() *cobra.Command {
	var (
		prefix  string
		modules []string
	)
	cmd := &cobra.Command{
		Use:   "vet [-p PREFIX] nginx.conf, FILE.lua or DIR ...",
		Short: "Report every mistake that can be known before a request comes in",
		Long: `vet reads configs, Lua files and folders of them and prints what is wrong, by
file, line and column. Exit code: 0 nothing found, 1 findings, 2 it could not run.`,
		Example: `  moonphase vet nginx.conf lua/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("vet needs a config, a Lua file or a folder")
			}
			found, err := vet(args, prefix, modules)
			if err != nil {
				return err
			}
			printFindings(cmd.OutOrStdout(), found)
			if len(found) > 0 {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&prefix, "prefix", "p", "", "server prefix (default: the config's folder)")
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
		}
	}
	slices.SortStableFunc(found, transpile.CompareDiagnostics)
	return slices.CompactFunc(found, func(a, b transpile.Diagnostic) bool {
		return transpile.CompareDiagnostics(a, b) == 0 && a.Msg == b.Msg
	}), nil
}

// printFindings writes diagnostics as text, coloured for a terminal unless
// NO_COLOR is set.
func printFindings(w io.Writer, found []transpile.Diagnostic) {
	transpile.WriteText(w, found, isTerminal(w) && os.Getenv("NO_COLOR") == "")
}
