package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/transpile"
)

func newChunksCmd() *cobra.Command {
	var in confInput
	cmd := &cobra.Command{
		Use:   "chunks [-p PREFIX] nginx.conf",
		Short: "List every chunk: phase, name, cache key, place, Go function, size",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			prog, err := in.load(args[0], nil)
			if err != nil {
				return err
			}
			if prog.Refusal != nil {
				return refuse(prog.Refusal)
			}
			told, _ := checks{}.sort(prog.Findings)
			fromHere(told)
			printFindings(cmd.ErrOrStderr(), told)
			result, err := transpile.Transpile(prog.Chunks, transpile.Options{Package: "lua"})
			if err != nil {
				return err
			}
			info := map[string]transpile.ChunkInfo{}
			for _, c := range result.Chunks {
				info[c.Key] = c
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "PHASE\tNAME\tKEY\tPLACE\tGO\tBYTES")
			listed := map[string]bool{}
			for _, ref := range prog.Refs {
				c := info[ref.Key]
				listed[ref.Key] = true
				fmt.Fprintf(w, "%s\t%s\t%s\t%s:%d\t%s\t%d\n", ref.Phase, ref.Name, ref.Key, ref.File, ref.Line, c.GoFunc, c.Size)
			}
			for _, c := range prog.Chunks {
				if !listed[c.Key] {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s:1\t%s\t%d\n", kind(c), c.Name, c.Key, c.File, info[c.Key].GoFunc, info[c.Key].Size)
				}
			}
			return w.Flush()
		},
	}
	in.flags(cmd.Flags())
	return cmd
}

// kind names a chunk that no directive runs directly.
func kind(c transpile.Chunk) string {
	if c.Module != "" {
		return "module"
	}
	return "file"
}
