package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/gobuild"
	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/transpile"
)

// serverMain is package main of a built server.
const serverMain = `package main

import (
	"os"

	"github.com/moonphase/moonphase/phases"
	"moonphase.build/lua"
)

func main() { os.Exit(phases.Main(os.Args[1:], lua.Chunks)) }
`

func newBuildCmd() *cobra.Command {
	var (
		out, prefix, confPath string
		modules               []string
		checks                checks
	)
	cmd := &cobra.Command{
		Use:     "build [-p PREFIX] -c nginx.conf -o BIN",
		Short:   "Compile an nginx.conf and all its Lua to one static binary that serves it",
		Example: `  moonphase build -p /srv/edge -c nginx.conf -o server && ./server -p /srv/edge -c nginx.conf`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			prefix, confPath, err := serverPaths(prefix, confPath)
			if err != nil {
				return err
			}
			prog, err := program.FromConf(confPath, program.Options{Prefix: prefix, Modules: modules})
			if err != nil {
				return refuse(err)
			}
			job, err := newJob(cmd, prog, confPath+"\n"+prefix, serverMain, checks)
			if err != nil {
				return err
			}
			return runJob(job, out)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "the binary")
	f.StringVarP(&prefix, "prefix", "p", "", "server prefix (default: the config's folder)")
	f.StringVarP(&confPath, "conf", "c", "nginx.conf", "the config, relative to the prefix")
	f.StringSliceVar(&modules, "module", nil, "add modules by name or glob, for names computed at run time")
	f.BoolVar(&checks.lazy, "lazy-errors", false, "build broken chunks too; they fail when they run, as under nginx")
	checks.flags(f)
	cmd.MarkFlagRequired("output")
	return cmd
}

// newJob transpiles the program for a binary with the given main.
func newJob(cmd *cobra.Command, prog *program.Program, id, main string, c checks) (*gobuild.Job, error) {
	files, err := transpileAll(cmd, prog, transpile.Options{Package: "lua"}, c)
	if err != nil {
		return nil, err
	}
	job := &gobuild.Job{ID: id, Files: files, Main: []byte(main)}
	if w := cmd.ErrOrStderr(); isTerminal(w) {
		job.Progress = w
	}
	return job, nil
}

// runJob builds job and copies the binary to out.
func runJob(job *gobuild.Job, out string) error {
	path, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	built, err := job.Run()
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer built.Release()
	if err := built.Install(path); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// execJob builds job and becomes the binary, with the given arguments. It returns
// only when that fails.
func execJob(job *gobuild.Job, args, env []string) error {
	built, err := job.Run()
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer built.Release()
	return syscall.Exec(built.Path, args, env)
}

// isTerminal reports whether w is a terminal: progress and colour are for
// people only.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
