package runtime

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTableLayout checks the sizes of the array and the hash part, what # gives and the
// order of the array part while random keys are set, and the order of number keys;
// testdata/table_layout.lua recorded what LuaJIT has. It deletes keys of the array part only.
func TestTableLayout(t *testing.T) {
	path := "testdata/table_layout.txt"
	if p := os.Getenv("TABLE_LAYOUT"); p != "" {
		path = p
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var seed, rounds int
	fmt.Sscan(lines[0], &seed, &rounds)
	random := func(n int) int {
		seed = seed * 16807 % 2147483647
		return seed % n
	}
	for round, want := range lines[1:] {
		run := layoutRound
		if round >= rounds {
			run = orderRound
		}
		if got := run(random); got != want {
			g, w := strings.Fields(got), strings.Fields(want)
			i := 0
			for i < min(len(g), len(w))-1 && g[i] == w[i] {
				i++
			}
			t.Errorf("round %d, step %d: got %s, want %s\n%s", round+1, i+1, g[i], w[i], got)
		}
	}
}

// layoutRound does what one round of table_layout.lua does.
func layoutRound(random func(int) int) string {
	t := NewTable(0, 0)
	if random(3) == 0 {
		narr := random(12)
		t = NewTable(narr, random(6))
	}
	sizes := func() (asize, hsize int) {
		c := t.clone() // finding out must not change t
		c.catchUp()
		if asize = c.arraySize(); asize > 0 {
			asize++
		}
		return asize, c.places()
	}
	th := testState.NewThread()
	var line []string
	wide := 4 << random(4)
	for step := 1; step <= 30; step++ {
		op, k := random(16), random(wide)
		asize, _ := sizes()
		switch {
		case op < 5:
			t.SetInt(k, Int(step))
		case op < 7:
			Append(th, TableValue(t), Int(step), "")
		case op == 7:
			t.SetStr(fmt.Sprint("name", k), Int(step))
		case op == 8:
			t.Set(Number(float64(k)+0.5), Int(step))
		case op == 9:
			t.SetInt(-1-k, Int(step))
		case op == 10:
			t.SetInt(wide-step, Int(step))
		case op < 13:
			if k < asize {
				t.SetInt(k, Nil)
			}
		case op == 13:
			tableInsert(th, 2, TableValue(t), Int(step), Nil)
		case op == 14:
			if t.Len() < asize {
				tableRemove(th, 1, TableValue(t), Nil, Nil)
			}
		case random(4) == 0:
			t.clear()
		default:
			t.SetInt(2*k, Int(step))
		}
		a, h := sizes()
		line = append(line, fmt.Sprintf("%d,%d,%d", a, h, t.Len()))
	}
	asize, _ := sizes()
	for k, _, pos := t.nextFrom(0); pos != 0; k, _, pos = t.nextFrom(pos) {
		if isArrayKey(k) && k.Num() < float64(asize) {
			line = append(line, fmt.Sprint(k.Num()))
		}
	}
	return strings.Join(line, " ")
}

// orderRound does what a round of the last loop of table_layout.lua does.
func orderRound(random func(int) int) string {
	var line []string
	t := NewTable(0, 0)
	wide := 10 << (3 * random(5))
	if random(3) == 0 {
		narr := random(4)
		t = NewTable(narr, random(9))
	}
	keys := func() {
		for k, _, _ := t.Next(Nil); !k.IsNil(); k, _, _ = t.Next(k) {
			if k.IsNumber() {
				line = append(line, string(appendNumber(nil, k.Num())))
			} else {
				line = append(line, fmt.Sprint(k.Truthy()))
			}
		}
	}
	steps := 1 + random(40)
	for step := 1; step <= steps; step++ {
		op, k := random(8), random(wide)
		switch {
		case op < 3:
			t.SetInt(k, Int(step))
		case op == 3:
			t.SetInt(-k, Int(step))
		case op == 4:
			t.Set(Number(float64(k)+0.5), Int(step))
		case op == 5:
			t.Set(Number(float64(k<<40)), Int(step))
		case op == 6:
			t.Set(Bool(k%2 == 0), Int(step))
		default:
			t.SetInt(10*k, Int(step))
		}
		if step%16 == 0 {
			keys()
			line = append(line, "-")
		}
	}
	keys()
	return strings.Join(line, " ")
}
