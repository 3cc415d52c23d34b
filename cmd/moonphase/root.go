package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitOK       = 0
	exitFindings = 1 // vet found something, gen --check saw a difference, a build was refused
	exitTrouble  = 2 // wrong usage, or the command could not do its work
)

// exitError carries an exit code; its message, when there is one, goes to
// stderr as it is.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// refuse makes err a finding about the input rather than trouble with the command.
func refuse(err error) error { return &exitError{exitFindings, err} }

// Main runs the command line args (without the program's name) and returns
// the exit code. Results go to stdout, messages to stderr.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRootCmd(stdout, stderr)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	code := exitTrouble
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintf(stderr, "moonphase: %s\n", msg)
	}
	return code
}

func newRootCmd(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "moonphase",
		Short: "Compile OpenResty Lua to Go: one static binary that serves your nginx.conf",
		Example: `  moonphase run examples/gateway/nginx.conf
  moonphase build -p /srv/edge -c conf/nginx.conf -o edge-server
  moonphase exec script.lua arg1`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		newGenCmd(), newBuildCmd(), newRunCmd(), newExecCmd(),
		newVetCmd(), newExplainCmd(), newChunksCmd(), newCacheCmd(), newVersionCmd(),
	)
	return root
}
