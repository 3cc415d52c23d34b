package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/program"
)

func newRunCmd() *cobra.Command {
	var (
		prefix  string
		modules []string
		checks  checks
	)
	cmd := &cobra.Command{
		Use:     "run [-p PREFIX] nginx.conf",
		Short:   "Build a config (cached by content) and serve it in the foreground",
		Example: `  moonphase run examples/gateway/nginx.conf`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			confPath, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
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
			// nginx wants the folder of its logs to be there; a person who
			// tries an example does not want to be asked for it.
			if err := os.MkdirAll(filepath.Join(prefix, "logs"), 0o755); err != nil {
				return err
			}
			return execJob(job, []string{"moonphase", "-p", prefix, "-c", confPath, "-g", "daemon off;"}, os.Environ())
		},
	}
	cmd.Flags().StringVarP(&prefix, "prefix", "p", "", "server prefix (default: the config's folder)")
	cmd.Flags().StringSliceVar(&modules, "module", nil, "add modules by name or glob, for names computed at run time")
	checks.flags(cmd.Flags())
	return cmd
}
