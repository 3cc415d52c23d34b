// Command bench measures compiled Lua programs beside LuaJIT, LuaJIT without
// its compiler, and Lua 5.1, by user time.
//
// The runs of all engines alternate, so that a noisy machine disturbs them
// alike; the figures are medians, and what counts are the ratios. An engine
// that is not installed is left out.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// engine is one way to run a Lua script.
type engine struct {
	name string
	cmd  []string // script is appended; for our own engine the binary takes its place
}

func main() {
	moonphase := flag.String("moonphase", "bin/moonphase", "the moonphase command")
	dir := flag.String("dir", "golden/bench/programs", "folder of the programs")
	runs := flag.Int("runs", 5, "runs of each program under each engine")
	only := flag.String("only", "", "run only programs whose name contains this")
	limit := flag.Float64("min-ratio", 0, "exit 1 when the geometric mean against lua5.1 is below this, or a program is slower than lua5.1")
	flag.Parse()
	ok, err := bench(*moonphase, *dir, *runs, *only, *limit)
	if err == nil && *only == "" {
		err = buildTime(*moonphase)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func bench(moonphase, dir string, runs int, only string, limit float64) (bool, error) {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil || len(scripts) == 0 {
		return false, fmt.Errorf("no programs in %s", dir)
	}
	scripts = slices.DeleteFunc(scripts, func(s string) bool { return !strings.Contains(filepath.Base(s), only) })
	engines := []engine{{name: "moonphase"}}
	for _, e := range []engine{
		{"luajit", []string{"luajit"}},
		{"luajit -joff", []string{"luajit", "-joff"}},
		{"lua5.1", []string{"lua5.1"}},
	} {
		if _, err := exec.LookPath(e.cmd[0]); err == nil {
			engines = append(engines, e)
		}
	}
	tmp, err := os.MkdirTemp("", "moonphase-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)

	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "user ms, median of %d\t%s\t", runs, engines[0].name)
	for _, e := range engines[1:] {
		fmt.Fprintf(out, "%s\tx\t", e.name)
	}
	fmt.Fprintln(out)
	logs := make([]float64, len(engines))
	slower := []string{}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".lua")
		bin := filepath.Join(tmp, name)
		if msg, err := exec.Command(moonphase, "exec", "-o", bin, script).CombinedOutput(); err != nil {
			return false, fmt.Errorf("building %s: %v\n%s", script, err, msg)
		}
		medians, err := measure(engines, bin, script, runs)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(out, "%s\t%d\t", name, medians[0].Milliseconds())
		for i, m := range medians[1:] {
			ratio := float64(m) / float64(medians[0])
			logs[i+1] += math.Log(ratio)
			fmt.Fprintf(out, "%d\t%.2f\t", m.Milliseconds(), ratio)
			if engines[i+1].name == "lua5.1" && ratio < 1 {
				slower = append(slower, name)
			}
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "geometric mean (x > 1: moonphase is faster)\t\t")
	good := len(slower) == 0
	for i, e := range engines[1:] {
		mean := math.Exp(logs[i+1] / float64(len(scripts)))
		fmt.Fprintf(out, "\t%.2f\t", mean)
		if e.name == "lua5.1" && mean < limit {
			good = false
		}
	}
	fmt.Fprintln(out)
	out.Flush()
	if len(slower) > 0 {
		fmt.Println("slower than lua5.1:", strings.Join(slower, ", "))
	}
	return limit == 0 || good, nil
}

// measure runs the script runs times under each engine in turn and returns
// the median user time of each. All must print the same.
func measure(engines []engine, bin, script string, runs int) ([]time.Duration, error) {
	times := make([][]time.Duration, len(engines))
	var want []byte
	for range runs {
		for i, e := range engines {
			args := append(slices.Clone(e.cmd), script)
			if e.cmd == nil {
				args = []string{bin}
			}
			cmd := exec.Command(args[0], args[1:]...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			got, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s %s: %v\n%s", e.name, script, err, stderr.Bytes())
			}
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				return nil, fmt.Errorf("%s: %s prints %q, %s prints %q", script, engines[0].name, want, e.name, got)
			}
			times[i] = append(times[i], cmd.ProcessState.UserTime())
		}
	}
	medians := make([]time.Duration, len(engines))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = t[len(t)/2]
	}
	return medians, nil
}
