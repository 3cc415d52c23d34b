package limitreq

import (
	"fmt"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// newRate is a zone of the least size whose key may come once a second.
func newRate() *rate {
	return &rate{perSecond: 1000, states: newStates(&core.Zone{Name: "z", Size: core.MinZone})}
}

// TestRate: an excess falls with time, and what is above the burst counts nothing.
func TestRate(t *testing.T) {
	z := newRate()
	for _, c := range []struct {
		at, excess int64
		ok         bool
	}{
		{1, 0, true}, {1, 1000, true}, {501, 1500, false}, {1001, 1000, true}, {901, 2000, false}, {60_001, 0, true},
	} {
		if a, ok := z.ask("k", 1000, c.at, true); a.excess != c.excess || ok != c.ok {
			t.Errorf("at %d: %d %v, want %d %v", c.at, a.excess, ok, c.excess, c.ok)
		}
	}
}

// TestSeveral: what another limit refuses has not been counted.
func TestSeveral(t *testing.T) {
	z := newRate()
	a, ok := z.ask("k", 0, 1, false)
	if !ok || a.counted {
		t.Fatal("the first request is not let in, or counted too early")
	}
	z.release(&a)
	if b, ok := z.ask("k", 0, 1, true); !ok || b.excess != 0 {
		t.Errorf("a released request has been counted: %d", b.excess)
	}
}

// TestRoom: a full zone drops the key that was used longest ago, but none that a
// request is still asking.
func TestRoom(t *testing.T) {
	z := newRate()
	key := func(i int) string { return fmt.Sprintf("key %d", i) }
	const n = 6*32 - 1 // pages of 32 chunks, of which the roots take one; the text has a page of its own
	held, _ := z.ask(key(0), 0, 1, false)
	for i := 1; i < n; i++ {
		z.ask(key(i), 0, 1, true)
	}
	if len(z.byKey) != n {
		t.Fatalf("%d keys have room, want %d", len(z.byKey), n)
	}
	if a, _ := z.ask(key(n), 0, 1, true); a.state != nil {
		t.Error("a key took the room of one that is being asked")
	}
	z.release(&held)
	if _, ok := z.ask(key(n), 0, 1, true); !ok {
		t.Error("no room was made")
	}
	if z.byKey[key(0)] != nil || z.byKey[key(1)] == nil {
		t.Error("another key than the oldest was dropped")
	}
	z.ask("late", 0, 70_000, true)
	if z.byKey[key(1)] != nil || z.byKey[key(2)] != nil || z.byKey[key(3)] == nil {
		t.Error("not two idle keys were dropped")
	}
}
