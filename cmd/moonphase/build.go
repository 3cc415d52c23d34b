package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/gobuild"
	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/transpile"
)

// serverMain is package main of a built server.
const serverMain = `package main

import (
	"os"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/phases/conf"
	"moonphase.build/lua"
)

func main() {
	os.Exit(phases.Main(os.Args[1:], phases.Binary{
		Chunks:  lua.Chunks,
		Version: %q,
		Prefix:  %q,
		Modules: %#v,
		Sealed:  %t,
		Without: %#v,
		Map:     %#v,
	}))
}
`

// serverInput is what `build` and `run` make a server from.
type serverInput struct {
	confInput
	conf   string
	sealed bool
	// mapped: the server reads by --map too, because it serves here.
	mapped bool
	checks checks
}

// flags adds what both commands take.
func (in *serverInput) flags(f *pflag.FlagSet) {
	in.confInput.flags(f)
	in.checks.flags(f)
}

// job reads the config and compiles its Lua. It makes the paths of in absolute.
func (in *serverInput) job(cmd *cobra.Command) (*gobuild.Job, error) {
	var err error
	if in.prefix, in.conf, err = serverPaths(in.prefix, in.conf); err != nil {
		return nil, err
	}
	prog, err := in.load(in.conf, nil)
	if err != nil {
		return nil, err
	}
	var paths conf.PathMap
	sealed := in.sealed
	if in.mapped && len(in.paths) > 0 {
		paths, sealed = in.paths, true // its Lua is what was just read
	}
	main := fmt.Sprintf(serverMain, version(), in.prefix, in.modules, sealed, in.ignore, paths)
	return newJob(cmd, prog, in.conf+"\n"+in.prefix, main, in.checks)
}

func newBuildCmd() *cobra.Command {
	var (
		in  serverInput
		out string
	)
	cmd := &cobra.Command{
		Use:   "build [-p PREFIX] -c nginx.conf -o BIN",
		Short: "Compile an nginx.conf and all its Lua to one static binary that serves it",
		Long: `The binary reads nginx.conf and compares the Lua files with what is compiled in, at start, on
-t and on HUP: it refuses to serve Lua that is not what it has. With --sealed it serves what
was built, and the Lua files need not be there.`,
		Example: `  moonphase build -p /srv/edge -c nginx.conf -o server && ./server -p /srv/edge -c nginx.conf`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(out); err != nil {
				return err
			}
			job, err := in.job(cmd)
			if err != nil {
				return err
			}
			return runJob(job, out)
		},
	}
	f := cmd.Flags()
	in.flags(f)
	f.StringVarP(&in.conf, "conf", "c", "nginx.conf", "the config, relative to the prefix")
	f.StringVarP(&out, "output", "o", "", "the binary")
	f.BoolVar(&in.checks.lazy, "lazy-errors", false, "build broken chunks too; they fail when they run, as under nginx")
	f.BoolVar(&in.sealed, "sealed", false, "serve the Lua of the build, whatever is on disk")
	_ = cmd.MarkFlagRequired("output")
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

// checkOutput refuses a place for a binary before time is spent on it.
func checkOutput(out string) error {
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return fmt.Errorf("-o %s: that is a folder; name the binary in it", out)
	}
	if _, err := os.Stat(filepath.Dir(out)); err != nil {
		return fmt.Errorf("-o %s: %w", out, err)
	}
	return nil
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
