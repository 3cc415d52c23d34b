package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/moonphase/moonphase/cmd/moonphase/internal/gobuild"
)

func newCacheCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show where builds are cached and how much there is; `cache clean` empties it",
		Long: `Builds are kept in $MOONPHASE_CACHE, or in moonphase below the user's cache folder.
The folder belongs to the user alone. When a build makes it larger than
$MOONPHASE_CACHE_LIMIT (500m, 2g; default 2g), the least recently used entries go.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, entries, err := openCache()
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "folder   %s\n", cache.Dir)
			fmt.Fprintf(w, "entries  %d\n", len(entries))
			fmt.Fprintf(w, "size     %s\n", megabytes(total(entries)))
			fmt.Fprintf(w, "limit    %s\n", megabytes(cache.Limit))
			return nil
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "clean",
		Short: "Remove every cached build that is not in use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, entries, err := openCache()
			if err != nil {
				return err
			}
			removed, err := cache.Trim(-1)
			reportRemoved(cmd.OutOrStdout(), removed, len(entries)-len(removed))
			return err
		},
	})
	return cmd
}

func openCache() (*gobuild.Cache, []gobuild.Stored, error) {
	cache, err := gobuild.OpenCache()
	if err != nil {
		return nil, nil, err
	}
	entries, err := cache.Entries()
	return cache, entries, err
}

func reportRemoved(w io.Writer, removed []gobuild.Stored, busy int) {
	fmt.Fprintf(w, "removed %d entries, %s", len(removed), megabytes(total(removed)))
	if busy > 0 {
		fmt.Fprintf(w, "; %d in use", busy)
	}
	fmt.Fprintln(w)
}

func total(entries []gobuild.Stored) int64 {
	size := int64(0)
	for _, e := range entries {
		size += e.Size
	}
	return size
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
