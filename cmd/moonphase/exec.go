package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
	"github.com/moonphase/moonphase/phases"
)

// scriptMain is package main of a built script.
const scriptMain = `package main

import (
	"os"

	"github.com/moonphase/moonphase/phases"
	"moonphase.build/lua"
)

func main() { os.Exit(phases.Exec(lua.Chunks, %q, %q, os.Args[1:])) }
`

func newExecCmd() *cobra.Command {
	var (
		out     string
		modules []string
		checks  checks
	)
	cmd := &cobra.Command{
		Use:   "exec [-o BIN] script.lua [ARG ...]",
		Short: "Compile a plain script and run it; cosockets and timers work, `arg` is set",
		Example: `  moonphase exec script.lua one two
  moonphase exec -o tool script.lua && ./tool one two`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			script := args[0]
			if out != "" {
				if err := checkOutput(out); err != nil {
					return err
				}
			}
			prog, err := program.FromScript(script, program.Options{Prefix: dir, Modules: modules})
			if err != nil {
				return err
			}
			main := fmt.Sprintf(scriptMain, phases.FileKey(script), script)
			job, err := newJob(cmd, prog, "script\n"+dir+"\n"+script, main, checks)
			if err != nil {
				return err
			}
			if out != "" {
				return runJob(job, out)
			}
			return execJob(job, append([]string{script}, args[1:]...), os.Environ())
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the script is the script's
	f.StringVarP(&out, "output", "o", "", "only build, to this binary")
	f.StringSliceVar(&modules, "module", nil, "add modules by name or glob, for names computed at run time")
	checks.flags(f)
	return cmd
}
