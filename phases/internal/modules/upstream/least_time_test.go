package upstream

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// group makes an upstream of peers a, b, ... with a method.
func group(m method, peers ...Peer) *Upstream {
	u := &Upstream{method: m}
	for i, p := range peers {
		p.server = string(rune('a' + i))
		p.weight = max(p.weight, 1)
		p.failTimeout = defaultFailTimeout
		p.setAddr(p.server)
		u.primary.add(&p)
	}
	m.prepare(u)
	return u
}

// answered lets a request choose, and its peer answer after that time.
func answered(u *Upstream, took func(p *Peer) time.Duration, how Outcome) string {
	c := u.Choose(nil)
	p := c.Next()
	c.Header(p, took(p)/2)
	c.Done(p, how, took(p)/2, took(p))
	return p.server
}

// TestLeastTime: the peer that answers first is preferred, those that differ by little take
// turns, and what has failed says nothing about time.
func TestLeastTime(t *testing.T) {
	ms := func(a, b int) func(p *Peer) time.Duration {
		return func(p *Peer) time.Duration {
			if p.server == "a" {
				return time.Duration(a) * time.Millisecond
			}
			return time.Duration(b) * time.Millisecond
		}
	}
	for _, m := range []*leastTime{{}, {lastByte: true}, {inflight: true}, {inflight: true, lastByte: true}} {
		name := fmt.Sprintf("%+v", *m)
		u := group(m, Peer{}, Peer{})
		var got []string
		for range 6 {
			got = append(got, answered(u, ms(100, 1000), Succeeded))
		}
		if s := strings.Join(got, ""); s != "abaaaa" {
			t.Errorf("%s: one ten times as slow: %s", name, s)
		}
		u = group(m, Peer{}, Peer{})
		got = nil
		for range 6 {
			got = append(got, answered(u, ms(4, 8), Succeeded))
		}
		if s := strings.Join(got, ""); s != "ababab" {
			t.Errorf("%s: two that differ by little: %s", name, s)
		}
		u = group(m, Peer{}, Peer{})
		answered(u, ms(4, 8), Failed)
		if p := u.primary.peers[0]; p.times.response != 0 || p.times.waiting != 0 {
			t.Errorf("%s: a failure counts: %+v", name, p.times)
		}
	}
}

// TestLeastTimeBusy: a peer with requests is expected to take longer by each of them.
func TestLeastTimeBusy(t *testing.T) {
	u := group(&leastTime{lastByte: true}, Peer{}, Peer{weight: 3})
	got := ""
	for range 8 {
		got += u.Choose(nil).Next().server
	}
	if a := strings.Count(got, "a"); a != 2 {
		t.Errorf("%d of 8 requests go to the peer with a quarter of the weights: %s", a, got)
	}
}

func TestAverage(t *testing.T) {
	for _, c := range [][3]int64{{0, 700, 700}, {100, 100, 100}, {100, 200, 105}, {100, 0, 95}, {10, 20, 11}, {10, 19, 10}} {
		if got := average(c[0], c[1]); got != c[2] {
			t.Errorf("%d with %d is %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// TestRandom: chance follows the weights, and of two the one with fewer connections wins.
func TestRandom(t *testing.T) {
	u := group(random{}, Peer{}, Peer{weight: 3})
	n := map[string]int{}
	for range 4000 {
		n[answered(u, func(*Peer) time.Duration { return 0 }, Succeeded)]++
	}
	if n["a"] < 800 || n["a"] > 1200 {
		t.Errorf("of 4000 requests %d go to a peer with a quarter of the weights", n["a"])
	}
	u = group(random{two: true}, Peer{}, Peer{})
	for range 1000 {
		u.Choose(nil).Next()
	}
	if a, b := u.primary.peers[0].conns, u.primary.peers[1].conns; a < 499 || b < 499 {
		t.Errorf("of two peers one has %d connections, the other %d", a, b)
	}
}

// TestFailures: max_fails within fail_timeout, in whole seconds, and a try after that.
func TestFailures(t *testing.T) {
	u := group(roundRobin{}, Peer{maxFails: 2}, Peer{})
	a := u.primary.peers[0]
	c := u.Choose(nil)
	for i, disabled := range []bool{false, true} {
		a.conns++
		if got := c.Done(a, Failed, NoTime, NoTime); got != disabled {
			t.Errorf("failure %d disables: %v", i+1, got)
		}
	}
	now := a.checked
	for _, s := range []struct {
		after int64
		well  bool
	}{{0, false}, {defaultFailTimeout, false}, {defaultFailTimeout + 1, true}} {
		if got := a.well(now + s.after); got != s.well {
			t.Errorf("%d s after its failures the peer is well: %v", s.after, got)
		}
	}
	a.conns++
	a.checked = a.accessed + defaultFailTimeout + 1 // the attempt that is let through
	if c.Done(a, Succeeded, NoTime, NoTime); a.fails != 0 {
		t.Errorf("after a success the peer has %d failures", a.fails)
	}
}
