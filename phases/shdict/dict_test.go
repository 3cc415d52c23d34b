package shdict

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// parseValue reads s12 (a string of 12 bytes), n7 or btrue.
func parseValue(s string) Value {
	if s == "" {
		return Value{}
	}
	n, _ := strconv.ParseFloat(s[1:], 64)
	switch s[0] {
	case 's':
		return Value{Kind: String, Str: strings.Repeat("x", int(n))}
	case 'n':
		return Value{Kind: Number, Num: n}
	}
	v := Value{Kind: Bool}
	if s == "btrue" {
		v.Num = 1
	}
	return v
}

func showValue(v Value) string {
	switch v.Kind {
	case String:
		return "s" + strconv.Itoa(len(v.Str))
	case Number:
		return strconv.FormatFloat(v.Num, 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(v.Num != 0)
	}
	return "nil"
}

// results renders up to three results as the recording script did.
func results(list ...any) string {
	out := []string{"nil", "nil", "nil"}
	for i, v := range list {
		switch v := v.(type) {
		case Value:
			out[i] = showValue(v)
		case error:
			out[i] = v.Error()
		case nil:
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(out, " ")
}

func run(d *Dict, op, key string, v Value) string {
	modes := map[string]Mode{"set": Set, "safe_set": Set | Safe, "add": Add, "safe_add": Add | Safe, "replace": Replace, "delete": Set}
	if mode, ok := modes[op]; ok {
		forcible, err := d.Store(mode, key, v, 0, 0)
		return results(err == nil, err, forcible)
	}
	switch op {
	case "get":
		v, _, err := d.Get(key)
		return results(v, err)
	case "get_stale":
		v, _, stale, err := d.GetStale(key)
		if err != nil || v.Kind == Nil {
			return results(v, err)
		}
		return results(v, nil, stale)
	case "incr":
		n, _, err := d.Incr(key, v.Num, nil, 0)
		if err != nil {
			return results(nil, err)
		}
		return results(n)
	case "incrinit":
		n, forcible, err := d.Incr(key, 1, &v.Num, 0)
		if err != nil {
			return results(nil, err)
		}
		return results(n, nil, forcible)
	case "lpush", "rpush":
		n, err := d.Push(key, v, op == "lpush")
		if err != nil {
			return results(nil, err)
		}
		return results(n)
	case "lpop", "rpop":
		v, err := d.Pop(key, op == "lpop")
		return results(v, err)
	case "llen":
		n, err := d.Len(key)
		if err != nil {
			return results(nil, err)
		}
		return results(n)
	case "get_keys":
		return results(strings.Join(d.Keys(0), ","))
	case "free_space":
		return results(d.FreeSpace())
	case "flush_all":
		d.FlushAll()
		return results()
	}
	panic("unknown operation " + op)
}

// TestReplay runs random operations whose results ngx_lua 0.10.23 gave in zones
// of 16k and 100k: zone, operation, key, argument, results.
func TestReplay(t *testing.T) {
	data, err := os.ReadFile("testdata/ops.txt")
	if err != nil {
		t.Fatal(err)
	}
	now := func() int64 { return 1000 }
	zones := map[string]*Dict{}
	for name, size := range map[string]int64{"z16k": 16 << 10, "z100k": 100 << 10} {
		if zones[name], err = New(name, size, now); err != nil {
			t.Fatal(err)
		}
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		col := strings.Split(line, "\t")
		got := run(zones[col[0]], col[1], col[2], parseValue(col[3]))
		if got != col[4] {
			t.Fatalf("line %d: %s %s %s %s\n got %s\nwant %s", i+1, col[0], col[1], col[2], col[3], got, col[4])
		}
	}
}

func TestSizes(t *testing.T) {
	tests := []struct {
		name       string
		size, want int64
	}{
		{"dogs", 1 << 20, 1032192},
		{"cats", 12 << 10, 0},
		{"z16k", 16 << 10, 4096},
		{"z100k", 100 << 10, 90112},
		{"longernamelongernamelongername", 1 << 20, 1032192},
		{"z10m", 10 << 20, 10412032},
	}
	for _, tt := range tests {
		d, err := New(tt.name, tt.size, func() int64 { return 0 })
		if err != nil {
			t.Fatal(err)
		}
		if got := d.FreeSpace(); got != tt.want {
			t.Errorf("%s: %d bytes free, want %d", tt.name, got, tt.want)
		}
	}
	if _, err := New("z8k", 8<<10, func() int64 { return 0 }); err == nil {
		t.Error("8k is enough for a dict")
	}
}

func TestExpiry(t *testing.T) {
	now := int64(1000)
	d, err := New("d", 100<<10, func() int64 { return now })
	if err != nil {
		t.Fatal(err)
	}
	x := Value{Kind: String, Str: "x"}
	for key, ttl := range map[string]int64{"a": 10, "b": 20, "c": 0} {
		if _, err := d.Store(Set, key, x, ttl, 7); err != nil {
			t.Fatal(err)
		}
	}
	if ttl, err := d.TTL("a"); ttl != 10 || err != nil {
		t.Errorf("ttl %d, %v", ttl, err)
	}
	now = 1011
	if v, flags, stale, _ := d.GetStale("a"); v != x || flags != 7 || !stale {
		t.Errorf("stale value %v %d %v", v, flags, stale)
	}
	if got := strings.Join(sorted(d.Keys(0)), " "); got != "b c" {
		t.Errorf("keys %s", got)
	}
	if _, err := d.Store(Replace, "a", x, 0, 0); err != ErrNotFound {
		t.Errorf("replace of an expired key: %v", err)
	}
	if err := d.Expire("b", 0); err != nil {
		t.Error(err)
	}
	now = 5000
	if v, _, _ := d.Get("b"); v != x {
		t.Errorf("a key that never expires: %v", v)
	}
	d.FlushAll()
	if n := d.FlushExpired(0); n > 2 || len(d.Keys(0)) != 0 {
		t.Errorf("flushed %d, left %v", n, d.Keys(0))
	}
}

func sorted(s []string) []string {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s
}

// TestHammerDict has several workers at one small dict; the race detector and
// the slab's own indexes are the check.
func TestHammerDict(t *testing.T) {
	d, err := New("d", 64<<10, func() int64 { return 1 })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for range 5000 {
				key := strconv.Itoa(r.IntN(100))
				switch r.IntN(5) {
				case 0:
					d.Store(Set, key, Value{Kind: String, Str: strings.Repeat("x", r.IntN(5000))}, 0, 0)
				case 1:
					d.Incr("n"+key, 1, new(float64), 0)
				case 2:
					d.Push("l"+key, Value{Kind: Number}, r.IntN(2) == 0)
				case 3:
					d.Pop("l"+key, r.IntN(2) == 0)
				case 4:
					d.Get(key)
				}
			}
		})
	}
	wg.Wait()
	d.FlushAll()
	d.FlushExpired(0)
	if free := d.FreeSpace(); free != 53248 {
		t.Errorf("%d bytes free when empty", free)
	}
}

func BenchmarkIncr(b *testing.B) {
	d, _ := New("d", 1<<20, func() int64 { return 1 })
	zero := 0.0
	for b.Loop() {
		d.Incr("hits", 1, &zero, 0)
	}
}
