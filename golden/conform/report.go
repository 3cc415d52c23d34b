package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// results collects the outcome of every block.
type results struct {
	mu      sync.Mutex
	verbose bool
	passed  map[string]*block
	failed  map[string]failure
	skipped map[string]string
}

type failure struct {
	block  *block
	reason error
}

func newResults(verbose bool) *results {
	return &results{verbose: verbose, passed: map[string]*block{}, failed: map[string]failure{}, skipped: map[string]string{}}
}

func (r *results) skip(b *block, reason string) { r.skipped[b.ID] = reason }

func (r *results) add(b *block, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.failed, b.ID)
		r.passed[b.ID] = b
		return
	}
	r.failed[b.ID] = failure{b, err}
	if r.verbose {
		fmt.Printf("FAIL %s (%s): %.600s\n", b.ID, b.Name, err)
	}
}

func (r *results) failedBlocks() []*block {
	var out []*block
	for _, id := range slices.Sorted(maps.Keys(r.failed)) {
		out = append(out, r.failed[id].block)
	}
	return out
}

// print shows a line a file, then the most frequent reasons, then the totals.
func (r *results) print(w io.Writer) {
	type count struct{ passed, failed, skipped int }
	files := map[string]*count{}
	at := func(id string) *count {
		file, _, _ := strings.Cut(id, "#")
		if files[file] == nil {
			files[file] = &count{}
		}
		return files[file]
	}
	for id := range r.passed {
		at(id).passed++
	}
	for id := range r.failed {
		at(id).failed++
	}
	reasons := map[string]int{}
	for id, reason := range r.skipped {
		at(id).skipped++
		reasons[reason]++
	}
	for _, f := range slices.Sorted(maps.Keys(files)) {
		c := files[f]
		fmt.Fprintf(w, "%-28s %4d passed %4d failed %4d not applicable\n", f, c.passed, c.failed, c.skipped)
	}
	why := map[string][]string{}
	for id, f := range r.failed {
		key := generalise(f.reason.Error())
		why[key] = append(why[key], id)
	}
	frequent := slices.SortedFunc(maps.Keys(why), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(why[b]), len(why[a])), cmp.Compare(a, b))
	})
	for _, key := range frequent[:min(len(frequent), 40)] {
		fmt.Fprintf(w, "%4d x %.160s   (%s)\n", len(why[key]), key, slices.Min(why[key]))
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "not applicable, %s: %d\n", reason, reasons[reason])
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d not applicable\n", len(r.passed), len(r.failed), len(r.skipped))
}

var (
	digits    = regexp.MustCompile(`\d+`)
	tempPaths = regexp.MustCompile(`/\S*/cf\d+/\d+`)
)

// generalise makes failures with the same cause look the same.
func generalise(reason string) string {
	reason = tempPaths.ReplaceAllString(reason, "ROOT")
	return digits.ReplaceAllString(reason, "N")
}

// readPassList reads the ids of the blocks that must pass.
func readPassList(path string) (map[string]bool, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return map[string]bool{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]bool{}
	for in := bufio.NewScanner(f); in.Scan(); {
		if id := strings.TrimSpace(in.Text()); id != "" {
			out[id] = true
		}
	}
	return out, nil
}

// judge compares the results with the pass list and lets the list grow.
func (r *results) judge(w io.Writer, path string, listed map[string]bool, update bool) (bool, error) {
	ok := true
	for _, id := range slices.Sorted(maps.Keys(r.failed)) {
		if listed[id] {
			ok = false
			fmt.Fprintf(w, "REGRESSION %s: %.400s\n", id, r.failed[id].reason)
		}
	}
	fresh := 0
	for id := range r.passed {
		if !listed[id] {
			listed[id] = true
			fresh++
		}
	}
	if fresh == 0 {
		return ok, nil
	}
	if !update {
		fmt.Fprintf(w, "%d blocks pass that are not in %s: run with -update\n", fresh, path)
		return ok, nil
	}
	text := strings.Join(slices.Sorted(maps.Keys(listed)), "\n") + "\n"
	return ok, os.WriteFile(path, []byte(text), 0o644)
}
