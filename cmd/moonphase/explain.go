package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/transpile"
)

func newExplainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE, DIRECTIVE, $VARIABLE or NAME of the ngx API]",
		Short: "Say what a code of a finding means (or list all codes); describe a directive, a variable, a function",
		Example: `  moonphase explain L3001
  moonphase explain proxy_pass
  moonphase explain '$upstream_addr'
  moonphase explain ngx.re.match`,
		Args: cobra.MaximumNArgs(1),
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
				return describe(out, args[0])
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

// describe writes the reference's entry of a directive, a variable or a part of the ngx API.
func describe(w io.Writer, word string) error {
	text, ok := phases.Explain(word)
	if !ok {
		have, err := phases.APINames()
		if err != nil {
			return err
		}
		text, ok = transpile.ExplainAPI(word, have)
	}
	if !ok && isCode.MatchString(strings.ToUpper(word)) {
		return fmt.Errorf("no code %s; `moonphase explain` lists them", word)
	}
	if !ok {
		return fmt.Errorf("no code, directive, $variable or ngx function is called %s; `moonphase explain` lists the codes", word)
	}
	_, err := io.WriteString(w, text)
	return err
}

func indent(code string) string { return "    " + strings.ReplaceAll(code, "\n", "\n    ") }
