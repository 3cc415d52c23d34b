package runtime

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// TestSortTrace checks that table.sort shows a comparison function the pairs that
// LuaJIT's does, in that order; testdata/sort_trace.lua recorded them.
func TestSortTrace(t *testing.T) {
	text, err := os.ReadFile("testdata/sort_trace.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	th := NewState(Options{}).Main()
	seed := 7.0
	random := func(n float64) float64 {
		seed = math.Mod(seed*1103515245+12345, 2147483648)
		return math.Mod(math.Floor(seed/65536), n)
	}
	trace := func(values []float64, less func(a, b float64) bool) {
		var log []string
		f := NewGoFunction("less", func(_ *Thread, args []Value) (Value, int) {
			log = append(log, fmt.Sprintf("%v:%v", args[0].Num(), args[1].Num()))
			return Bool(less(args[0].Num(), args[1].Num())), 1
		})
		list := NewTable(0, 0)
		for _, x := range values {
			list.Append(Number(x))
		}
		message := "nil"
		_, sortErr := th.PCall(th.State.Globals.GetStr("table").Table().GetStr("sort"), TableValue(list), f)
		if sortErr != nil {
			message = sortErr.Error()
		}
		var items []string
		for i := 1; i <= list.Len(); i++ {
			items = append(items, fmt.Sprint(list.Int(i).Num()))
		}
		fmt.Fprintf(&got, "%v\t%s\t%s\t%s\n", sortErr == nil, message, strings.Join(items, ","), strings.Join(log, " "))
	}
	for _, run := range []struct {
		from, to int
		less     func(a, b float64) bool
	}{
		{1, 16, func(a, b float64) bool { return a < b }},
		{2, 12, func(a, b float64) bool { return true }},
		{2, 12, func(a, b float64) bool { return false }},
		{2, 12, func(a, b float64) bool { return a <= b }},
	} {
		for n := run.from; n <= run.to; n++ {
			values := make([]float64, n)
			for i := range values {
				values[i] = random(100)
			}
			trace(values, run.less)
		}
	}
	trace([]float64{5, 5, 5, 5, 5, 5, 5, 5, 5}, func(a, b float64) bool { return a <= b })
	wantLines, gotLines := strings.Split(string(text), "\n"), strings.Split(got.String(), "\n")
	for i, want := range wantLines {
		if i >= len(gotLines) || gotLines[i] != want {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, gotLines[i], want)
		}
	}
}

// unseeded is the first math.random() of a fresh luajit.
const unseeded = 0.79420629243124097

// TestRandom compares with what luajit prints.
func TestRandom(t *testing.T) {
	th := NewState(Options{}).Main()
	lib := th.State.Globals.GetStr("math").Table()
	for _, tt := range []struct {
		seed float64
		args []Value
		want string
	}{
		{42, nil, "0.95607928791821051 0.0089557217859255189 0.53860053951484144 0.43411331710630252 0.71972511077590862"},
		{42, []Value{Int(100)}, "96 1 54 44 72"},
		{1.5, []Value{Int(-5), Int(5)}, "3 1 -5 -1 -2"},
		{0, []Value{Int(1 << 31)}, "1705545027 1500774243 1267238136"},
		{-123456789, []Value{Int(0), Int(1 << 40)}, "905678525874 449330038848 965749534064"},
	} {
		th.Call(lib.GetStr("randomseed"), Number(tt.seed))
		var got []string
		for range strings.Count(tt.want, " ") + 1 {
			got = append(got, string(appendNumberG(nil, th.Call1(lib.GetStr("random"), tt.args...).Num(), 17)))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("seed %v, args %v: got %s, want %s", tt.seed, tt.args, s, tt.want)
		}
	}
	if got := NewState(Options{}).random.float(); got != unseeded {
		t.Errorf("first number without a seed: got %.17g, want %.17g", got, unseeded)
	}
}
