// Command conform runs the published test blocks of lua-nginx-module against our
// server, or against real nginx to check this runner.
//
//	go run ./golden/conform                          the whole suite
//	go run ./golden/conform -run '058-tcp-socket#7'  some blocks
//	go run ./golden/conform -server /usr/sbin/nginx  the oracle
//
// The blocks are data (blocks.jsonl); a machine that does not have them gets a
// message and no failure. golden/conform-pass.txt lists the blocks that pass: the
// list may only grow, and a listed block that fails twice in a row fails the run.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "../shared/conformance", "folder with blocks.jsonl")
	flag.StringVar(&o.pass, "pass", "golden/conform-pass.txt", "list of the blocks that pass")
	flag.StringVar(&o.server, "server", "", "run this nginx instead of our server")
	flag.StringVar(&o.run, "run", "", "only blocks whose id matches this regular expression")
	flag.IntVar(&o.jobs, "j", 4*runtime.NumCPU(), "servers at a time")
	flag.BoolVar(&o.update, "update", false, "add the blocks that pass to the list")
	flag.BoolVar(&o.verbose, "v", false, "print every failure")
	flag.BoolVar(&o.keep, "keep", false, "keep the server roots of failed blocks")
	flag.BoolVar(&o.race, "race", false, "build our server with the race detector; a report fails the block")
	flag.Parse()
	os.Setenv("MOONPHASE_COMPAT", "1.22.1") // whose ngx_lua the blocks are from
	ok, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conform:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

type options struct {
	dir, pass, server, run string
	jobs                   int
	update, verbose, keep  bool
	race                   bool
}

// run returns false when a block of the pass list fails.
func run(o options) (bool, error) {
	blocks, err := readBlocks(filepath.Join(o.dir, "blocks.jsonl"))
	if err != nil {
		return false, err
	}
	all := blocks
	if o.run != "" {
		re, err := regexp.Compile(o.run)
		if err != nil {
			return false, err
		}
		blocks = selectBlocks(blocks, re)
	}
	res := newResults(o.verbose)
	var applicable []*block
	for _, b := range blocks {
		if reason := b.notApplicable(); reason != "" {
			res.skip(b, reason)
			continue
		}
		applicable = append(applicable, b)
	}
	r := &runner{keep: o.keep}
	var unlock func()
	if r.work, unlock, err = workDir(); err != nil {
		return false, err
	}
	defer unlock()
	if r.target, err = chooseTarget(o.server, all, r.work, o.race); err != nil {
		return false, err
	}
	around, missing := startSurroundings()
	defer around.stop()
	for _, m := range missing {
		fmt.Println("missing:", m)
	}
	r.runAll(makeJobs(applicable), o.jobs, res.add)
	listed, err := readPassList(o.pass)
	if err != nil {
		return false, err
	}
	if o.server == "" {
		r.retry(res, listed)
	}
	res.print(os.Stdout)
	if o.server != "" {
		return len(res.failed) == 0, nil
	}
	return res.judge(os.Stdout, o.pass, listed, o.update)
}

func selectBlocks(blocks []*block, re *regexp.Regexp) []*block {
	var out []*block
	for _, b := range blocks {
		if re.MatchString(b.ID) {
			out = append(out, b)
		}
	}
	return out
}

// runAll runs jobs, n at a time.
func (r *runner) runAll(jobs []job, n int, report func(*block, error)) {
	queue := make(chan job)
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range queue {
				r.run(j, report)
			}
		}()
	}
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	wg.Wait()
}

// retry gives listed blocks that failed a second chance, one at a time: a machine
// under load misses deadlines.
func (r *runner) retry(res *results, listed map[string]bool) {
	again := map[string]bool{}
	for id := range res.failed {
		if listed[id] {
			again[strings.SplitN(id, "#", 2)[0]] = true
		}
	}
	for _, j := range makeJobs(res.failedBlocks()) {
		if again[j[0].file()] {
			r.run(j, res.add)
		}
	}
}
