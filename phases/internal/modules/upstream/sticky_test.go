package upstream

import (
	"container/list"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/slab"
)

// TestSessions: what is not used is forgotten, and what was not used for longest when there
// is no room.
func TestSessions(t *testing.T) {
	s := &sessions{zone: "z", timeout: time.Minute, sessionTable: &sessionTable{byKey: map[sessionKey]*list.Element{}, memory: slab.New(8 * 4096)}}
	start := time.Unix(1000, 0)
	s.note("a", "peer1", true, start)
	s.note("b", "peer2", true, start)
	s.note("unknown", "peer3", false, start)
	s.note("a", "peer3", false, start.Add(40*time.Second))
	for _, c := range []struct {
		name  string
		after time.Duration
		want  string
	}{
		{"a", 40 * time.Second, "peer3"}, {"b", 59 * time.Second, "peer2"}, {"unknown", 59 * time.Second, ""},
		{"b", 60 * time.Second, ""}, {"a", 99 * time.Second, "peer3"}, {"a", 100 * time.Second, ""},
	} {
		if got := s.find(c.name, start.Add(c.after)); got != c.want {
			t.Errorf("%s after %v is with %q, want %q", c.name, c.after, got, c.want)
		}
	}
	text, n := "", 0
	for ; text == "" && n < 10000; n++ {
		text = s.note(fmt.Sprint(n), "peer", true, start)
	}
	if !strings.Contains(text, `in sticky session zone "z", expiring least recently used session`) || n < 100 || n > 200 {
		t.Errorf("after %d sessions: %q", n, text)
	}
	if s.find("0", start) != "" || s.find("1", start) == "" || s.find(fmt.Sprint(n-1), start) == "" {
		t.Error("not the oldest one had to go")
	}
}

// TestBound: a client comes back to its peer also when that drains, but not when it is down,
// and others have their turns meanwhile.
func TestBound(t *testing.T) {
	u := group(roundRobin{}, Peer{sid: "A"}, Peer{sid: "B", down: draining}, Peer{sid: "C", down: down}, Peer{sid: "D"})
	ask := func(hint string) string {
		c := u.Choose(nil)
		c.hint = hint
		p := c.next()
		c.Done(p, Succeeded, NoTime, NoTime)
		return p.sid
	}
	got := ""
	for _, hint := range []string{"", "B", "C", "A", "A", "A", "", "", "", "nobody"} {
		got += ask(hint)
	}
	if got != "ABDAAADDDA" {
		t.Errorf("the peers are %s", got)
	}
}
