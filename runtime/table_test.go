package runtime

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
)

// tableModel is a table the slow way: Lua keys as Go map keys.
type tableModel map[any]Value

func modelKey(k Value) any {
	switch k.Type() {
	case TypeNumber:
		return k.Num() + 0 // -0 and 0 are one map key
	case TypeString:
		return k.Str()
	}
	return k
}

// checkTable compares every view of t with the model.
func checkTable(t *testing.T, tab *Table, m tableModel) {
	t.Helper()
	seen := map[any]bool{}
	for k := Nil; ; {
		key, v, ok := tab.Next(k)
		if !ok {
			t.Fatalf("Next(%s): invalid key", Describe(k))
		}
		if key.IsNil() {
			break
		}
		mk := modelKey(key)
		if seen[mk] {
			t.Fatalf("Next gives %s twice", Describe(key))
		}
		seen[mk] = true
		if want, ok := m[mk]; !ok || !RawEq(want, v) {
			t.Fatalf("Next gives %s = %s, want %s", Describe(key), Describe(v), Describe(want))
		}
		k = key
	}
	if len(seen) != len(m) {
		t.Fatalf("Next gives %d entries, want %d", len(seen), len(m))
	}
	n := tab.Len()
	if n > 0 && tab.Int(n).IsNil() || !tab.Int(n+1).IsNil() {
		t.Fatalf("Len() = %d is no border", n)
	}
	if tab.hash != nil {
		for _, e := range tab.hash.entries {
			if e.value.n != tagNil && isArrayKey(e.key) {
				if k := int(e.key.Num()); k > 0 && k <= cap(tab.arr) || k == 0 && cap(tab.arr) > 0 {
					t.Fatalf("key %d is in the hash, array has %d of %d", k, len(tab.arr), cap(tab.arr))
				}
			}
		}
	}
}

// runTableOps applies the operations that data encodes to a table and a model.
func runTableOps(t *testing.T, data []byte) {
	tab, m := NewTable(int(len(data)%5), int(len(data)%11)), tableModel{}
	th := testState.NewThread()
	sites := map[string]*Site{}
	for i := 0; i+2 < len(data); i += 3 {
		op, x, y := data[i], data[i+1], data[i+2]
		var k Value
		switch op >> 4 & 7 {
		case 0, 1:
			k = Int(int(x) % 40)
		case 2:
			k = Int(tab.Len() + 1)
		case 3:
			k = Int(max(tab.Len(), 1))
		case 4:
			k = Number(float64(int8(x)) / 2)
		case 5:
			k = Int(int(x) << (y % 24))
		default:
			k = String(fmt.Sprint("k", x%50))
		}
		v := Int(int(y))
		if op&3 == 0 {
			v = Nil
		}
		if k.IsString() && op&4 != 0 {
			s := sites[k.Str()]
			if s == nil {
				s = NewSite(k.Str())
				sites[k.Str()] = s
			}
			SetField(th, TableValue(tab), s, v, "")
			if got := Field(th, TableValue(tab), s, ""); !RawEq(got, v) {
				t.Fatalf("Field(%s) = %s", s.Key, Describe(got))
			}
		} else {
			SetIndex(th, TableValue(tab), k, v, "")
		}
		if v.IsNil() {
			delete(m, modelKey(k))
		} else {
			m[modelKey(k)] = v
		}
		if got := Index(th, TableValue(tab), k, ""); !RawEq(got, v) {
			t.Fatalf("op %d: t[%s] = %s, want %s", i/3, Describe(k), Describe(got), Describe(v))
		}
		if i%33 == 0 {
			checkTable(t, tab, m)
		}
	}
	checkTable(t, tab, m)
}

var testState = NewState(Options{})

func FuzzTable(f *testing.F) {
	f.Add([]byte("\x01\x01\x01\x01\x02\x02\x01\x03\x03"))
	f.Add([]byte("\x21\x01\x01\x21\x02\x02\x30\x03\x03\x65\x01\x01"))
	f.Fuzz(runTableOps)
}

func TestTableRandom(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		data := make([]byte, 3*r.Intn(600))
		r.Read(data)
		runTableOps(t, data)
	}
}

func TestTableOrder(t *testing.T) {
	tab := NewTable(0, 0)
	for _, k := range []string{"z", "a", "m"} {
		tab.SetStr(k, True)
	}
	tab.Set(String("dynamic"), True)
	tab.Set(True, True)
	for i := range 4 {
		tab.SetInt(i+1, True)
	}
	got := ""
	for k, _, _ := tab.Next(Nil); !k.IsNil(); k, _, _ = tab.Next(k) {
		got += Describe(k) + " "
	}
	if want := "1 2 3 4 z a m dynamic true "; got != want { // all of 1 to 4 were in the hash part until 4 came
		t.Errorf("order %q, want %q", got, want)
	}
}

// A traversal may clear and change fields.
func TestTableClearDuringTraversal(t *testing.T) {
	tab := NewTable(0, 0)
	for i := 1; i <= 100; i++ {
		tab.SetInt(i, Int(i))
		tab.Set(String(fmt.Sprint(i)), Int(i))
		tab.Set(Number(float64(i)+0.5), Int(i))
	}
	n := 0
	for k, _, ok := tab.Next(Nil); !k.IsNil(); k, _, ok = tab.Next(k) {
		if !ok {
			t.Fatal("key vanished")
		}
		tab.Set(k, Nil)
		n++
	}
	if n != 300 {
		t.Errorf("visited %d entries, want 300", n)
	}
}

// A queue that moves through the indices must not keep an array from 1.
func TestTableQueue(t *testing.T) {
	tab := NewTable(0, 0)
	for i := 1; i <= 1<<20; i++ {
		tab.SetInt(i, True)
		if i > 10 {
			tab.SetInt(i-10, Nil)
		}
	}
	if cap(tab.arr) > 1000 {
		t.Errorf("array part has %d places for 10 items", cap(tab.arr))
	}
}

func TestTableBackwardFill(t *testing.T) {
	tab := NewTable(0, 0)
	for i := 1000; i > 0; i-- {
		tab.SetInt(i, Int(i))
	}
	if len(tab.arr) < 1000 {
		t.Errorf("array part has %d of 1000 items", len(tab.arr))
	}
	if tab.Len() != 1000 {
		t.Errorf("Len() = %d", tab.Len())
	}
}

func TestTableKeys(t *testing.T) {
	tab := NewTable(0, 0)
	tab.Set(Number(1.0), String("one"))
	tab.Set(Number(math.Copysign(0, -1)), String("zero"))
	tab.Set(Number(math.Inf(1)), String("inf"))
	tab.Set(Number(1<<53), String("big"))
	for _, tt := range []struct {
		k    Value
		want string
	}{{Int(1), "one"}, {Int(0), "zero"}, {Number(math.Inf(1)), "inf"}, {Number(1 << 53), "big"}} {
		if got := tab.Get(tt.k); !EqString(got, tt.want) {
			t.Errorf("t[%s] = %s, want %s", Describe(tt.k), Describe(got), tt.want)
		}
	}
	if !tab.Get(Number(math.NaN())).IsNil() {
		t.Error("t[NaN] is not nil")
	}
}
