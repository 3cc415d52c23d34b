package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/transpile"
)

func newExplainCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [CODE]",
		Short:   "Say what a code of a finding means, or list all codes",
		Example: `  moonphase explain L3001`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if len(args) == 0 {
				for _, c := range transpile.Codes() {
					fmt.Fprintf(out, "%s  %s\n", c.Code, c.Title)
				}
				return nil
			}
			c, ok := transpile.Explain(strings.ToUpper(args[0]))
			if !ok {
				return fmt.Errorf("no code %s; `moonphase explain` lists them", args[0])
			}
			fmt.Fprintf(out, "%s: %s\n\n%s\n", c.Code, c.Title, c.Text)
			const longest = 200 // of an example that a person reads
			if c.Before != "" && len(c.Before) < longest {
				fmt.Fprintf(out, "\nInstead of\n\n%s\n\nwrite\n\n%s\n", indent(c.Before), indent(c.After))
			}
			return nil
		},
	}
}

func indent(code string) string { return "    " + strings.ReplaceAll(code, "\n", "\n    ") }
