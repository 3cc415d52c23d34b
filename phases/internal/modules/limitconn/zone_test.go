package limitconn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/core"
)

func newCounts(keyText string) *counts {
	return &counts{keyText: keyText, table: newTable(&core.Zone{Name: "z", Size: core.MinZone})}
}

// TestCount: a key has as many connections as its limit lets in, and is forgotten with
// the last of them.
func TestCount(t *testing.T) {
	z := newCounts("k")
	var held []*connections
	for i := range 3 {
		k, ok := z.enter("k", 2)
		if ok != (i < 2) {
			t.Fatalf("connection %d: %v", i, ok)
		}
		if ok {
			held = append(held, k)
		}
	}
	if _, ok := z.enter("k", 3); !ok {
		t.Error("a limit that is higher refuses")
	}
	for _, k := range append(held, held[0]) {
		z.leave(k)
	}
	if len(z.byKey) != 0 {
		t.Errorf("%d keys are left", len(z.byKey))
	}
}

// TestRoom: what keys give back another length of keys can have.
func TestRoom(t *testing.T) {
	z := newCounts("k")
	fill := func(length int) (held []*connections) {
		for i := 0; ; i++ {
			k, ok := z.enter(fmt.Sprintf("%d%s", i, strings.Repeat("x", length))[:length], 1)
			if !ok {
				return held
			}
			held = append(held, k)
		}
	}
	// A page of 64 chunks has the root of the tree and has room for short keys.
	for _, c := range []struct{ length, keys int }{{200, 5 * 16}, {240, 5 * 8}, {20, 6*64 - 1}, {200, 5 * 16}} {
		held := fill(c.length)
		if len(held) != c.keys {
			t.Errorf("%d keys of %d bytes, want %d", len(held), c.length, c.keys)
		}
		for _, k := range held {
			z.leave(k)
		}
	}
}

// TestReload: a reload keeps what is counted, and refuses another key.
func TestReload(t *testing.T) {
	old := newCounts("$a")
	k, _ := old.enter("k", 1)
	z := &core.Zone{Name: "z", Size: core.MinZone, Data: &counts{keyText: "$a"}}
	if err := initZone(z, old); err != nil {
		t.Fatal(err)
	}
	if _, ok := z.Data.(*counts).enter("k", 1); ok {
		t.Error("the connection of before is not counted")
	}
	old.leave(k)
	if _, ok := z.Data.(*counts).enter("k", 1); !ok {
		t.Error("the connection of before has not ended")
	}
	z.Data = &counts{keyText: "$b"}
	want := `limit_conn_zone "z" uses the "$b" key while previously it used the "$a" key`
	if err := initZone(z, old); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
