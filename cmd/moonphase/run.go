package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/phases"
)

func newRunCmd() *cobra.Command {
	var in serverInput
	cmd := &cobra.Command{
		Use:     "run [-p PREFIX] nginx.conf",
		Short:   "Build a config (cached by content) and serve it in the foreground",
		Example: `  moonphase run examples/gateway/nginx.conf`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if filepath.Ext(args[0]) == ".lua" {
				return fmt.Errorf("run serves an nginx.conf; a plain script is run by: moonphase exec %s", args[0])
			}
			var err error
			if in.conf, err = filepath.Abs(args[0]); err != nil {
				return err
			}
			in.mapped = true
			job, err := in.job(cmd)
			if err != nil {
				return err
			}
			// nginx wants the folder of its logs to be there; a person who
			// tries an example does not want to be asked for it.
			if err := os.MkdirAll(filepath.Join(in.prefix, "logs"), 0o755); err != nil {
				return err
			}
			return execJob(job, []string{"moonphase", "-p", in.prefix, "-c", in.conf}, append(os.Environ(), phases.ForegroundEnv+"=1"))
		},
	}
	in.flags(cmd.Flags())
	return cmd
}
