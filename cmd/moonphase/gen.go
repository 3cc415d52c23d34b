package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/outdir"
	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/transpile"
)

func newGenCmd() *cobra.Command {
	var (
		in                 confInput
		out, confPath, pkg string
		check, line        bool
		checks             checks
	)
	cmd := &cobra.Command{
		Use:   "gen [-o DIR] [-p PREFIX] [-c nginx.conf] [FILE.lua or DIR ...]",
		Short: "Write the Go package of an nginx.conf, of Lua files, or of folders of them",
		Example: `  moonphase gen -o edge lua/           # every .lua file below lua/
  moonphase gen -o edge -c nginx.conf  # every chunk that the config can run
  moonphase gen --check -o edge lua/   # 1 and the difference when edge is stale`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if confPath == "" && len(args) == 0 {
				return errors.New("gen needs a config (-c) or Lua files")
			}
			if confPath != "" && len(args) > 0 {
				return errors.New("gen takes a config (-c) or Lua files, not both")
			}
			prog, err := in.load(confPath, args)
			if err != nil {
				return err
			}
			if pkg == "" {
				abs, err := filepath.Abs(out)
				if err != nil {
					return err
				}
				pkg = packageName(filepath.Base(abs))
			}
			checks.loose = confPath == ""
			files, err := transpileAll(cmd, prog, transpile.Options{Package: pkg, NoLines: !line}, checks)
			if err != nil {
				return err
			}
			if check {
				return checkPackage(cmd.OutOrStdout(), out, files)
			}
			_, err = outdir.Write(out, files)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", ".", "folder of the Go package")
	in.flags(f)
	f.StringVarP(&confPath, "conf", "c", "", "nginx.conf to take the chunks from")
	f.StringVar(&pkg, "package", "", "package name (default: the folder's)")
	f.BoolVar(&check, "check", false, "write nothing; exit 1 and show what would change")
	checks.flags(f)
	f.BoolVar(&line, "line", true, "let Go positions speak of the Lua files (//line)")
	return cmd
}

// checkPackage reports how the folder differs from the files it should hold.
func checkPackage(w io.Writer, dir string, files []outdir.File) error {
	changes, err := outdir.Diff(dir, files)
	if err != nil {
		return err
	}
	for _, c := range changes {
		name := filepath.Join(dir, c.Name)
		switch {
		case c.Old == nil:
			fmt.Fprintf(w, "%s: missing\n", name)
		case c.New == nil:
			fmt.Fprintf(w, "%s: no longer generated\n", name)
		default:
			fmt.Fprintf(w, "%s: stale\n%s", name, firstDifference(c.Old, c.New))
		}
	}
	if len(changes) > 0 {
		return refuse(fmt.Errorf("%s is stale: run moonphase gen", dir))
	}
	return nil
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(before, after []byte) string {
	a, b := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	at := func(lines []string) string {
		if i < len(lines) {
			return lines[i]
		}
		return ""
	}
	return fmt.Sprintf("@@ line %d\n-%s\n+%s\n", i+1, at(a), at(b))
}

// packageName makes a Go package name of a folder's name.
func packageName(base string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return -1
	}, strings.ToLower(base))
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "lua" + name
	}
	return name
}

// checks say which findings stop a command, and which it does not speak of.
type checks struct {
	strict bool // warnings stop it too (--strict)
	lazy   bool // broken Lua is built and fails when it runs (--lazy-errors)
	// loose: a package of loose files may get its modules from elsewhere.
	loose bool
}

// flags adds --strict to a command.
func (c *checks) flags(f *pflag.FlagSet) {
	f.BoolVar(&c.strict, "strict", false, "let warnings about the Lua stop the command")
}

// sort gives the findings that are told, in order, and whether one of them refuses
// the work.
func (c checks) sort(all []transpile.Diagnostic) (told []transpile.Diagnostic, refused bool) {
	for _, d := range all {
		module := d.Code == transpile.CodeMissingModule || d.Code == transpile.CodeComputedModule
		if module && c.loose {
			continue
		}
		if d.Severity == transpile.Error && c.lazy && d.Code != transpile.CodeConf {
			d.Severity = transpile.Warning
		}
		if d.Severity == transpile.Error || d.Severity == transpile.Warning && c.strict {
			refused = true
		}
		told = append(told, d)
	}
	return sorted(told), refused
}

// sorted orders findings by place and leaves one of equal ones: a file can be more than
// one chunk.
func sorted(list []transpile.Diagnostic) []transpile.Diagnostic {
	slices.SortStableFunc(list, transpile.CompareDiagnostics)
	return slices.CompactFunc(list, func(a, b transpile.Diagnostic) bool {
		return transpile.CompareDiagnostics(a, b) == 0 && a.Msg == b.Msg
	})
}

// once leaves one warning about each missing module, and its help only to the first:
// what a build says in passing should be short. vet has all places.
func once(list []transpile.Diagnostic) []transpile.Diagnostic {
	seen := map[string]bool{}
	var kept []transpile.Diagnostic
	for _, d := range list {
		if d.Code == transpile.CodeMissingModule {
			if seen[d.Msg] {
				continue
			}
			if len(seen) > 0 {
				d.Help = ""
			}
			seen[d.Msg] = true
		}
		kept = append(kept, d)
	}
	return kept
}

// transpileAll turns the program into Go files. What was found in its Lua is
// printed; errors refuse the work.
func transpileAll(cmd *cobra.Command, prog *program.Program, opt transpile.Options, c checks) ([]outdir.File, error) {
	told, refused := c.sort(prog.Findings)
	if !refused {
		told = once(told)
	}
	told = slices.DeleteFunc(told, func(d transpile.Diagnostic) bool { return d.Code == transpile.CodeConf && prog.Refuses(d) })
	fromHere(told)
	printFindings(cmd.ErrOrStderr(), told)
	if prog.Refusal != nil {
		return nil, refuse(prog.Refusal)
	}
	if refused {
		return nil, &exitError{code: exitFindings}
	}
	result, err := transpile.Transpile(prog.Chunks, opt)
	if err != nil {
		return nil, err
	}
	files := make([]outdir.File, len(result.Files))
	for i, f := range result.Files {
		files[i] = outdir.File{Name: f.Name, Data: f.Data}
	}
	return files, nil
}
