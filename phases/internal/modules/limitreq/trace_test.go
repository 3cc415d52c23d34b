package limitreq

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// TestTrace asks the zones at the times of a trace that was recorded from nginx. Its times
// are those of a clock that is not quite the one nginx counts with: one in a hundred
// decisions may be another one.
func TestTrace(t *testing.T) {
	file, err := os.Open("testdata/trace.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	limits := map[string]*struct {
		rate, burst, delay int64
		zone               *rate
	}{"a": {100_000, 20_000, 8000, nil}, "b": {7000, 5000, 2000, nil}, "c": {1500, 3000, 1000, nil}}
	for name, l := range limits {
		l.zone = &rate{perSecond: l.rate, states: newStates(&core.Zone{Name: name, Size: core.MinZone})}
	}
	asked, differ := 0, 0
	for s := bufio.NewScanner(file); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		var name, key, want string
		var at int64
		if _, err := fmt.Sscan(s.Text(), &name, &key, &at, &want); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		l := limits[name]
		a, ok := l.zone.ask(key, l.burst, at+1, true)
		got := "passed"
		switch {
		case !ok:
			got = "rejected"
		case a.excess > l.delay:
			got = "delayed"
		}
		if asked++; got != want {
			differ++
			t.Logf("%s: %s, excess %d", s.Text(), got, a.excess)
		}
	}
	if asked != 900 || differ*100 > asked {
		t.Errorf("%d of %d decisions differ", differ, asked)
	}
}
