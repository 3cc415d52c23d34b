package serve

import (
	"slices"
	"testing"
	"time"
)

// TestRateLimit walks responses through a rate limit as nginx paces them: what each
// second lets out, a second that began before the request included.
func TestRateLimit(t *testing.T) {
	start := time.Unix(1000, 900e6)
	for _, tt := range []struct {
		name             string
		perSecond, after int64
		length           int64
		want             []int64 // what each write may take
		end              time.Duration
	}{
		{"three seconds", 100, 0, 244, []int64{100, 100, 44}, 2 * time.Second},
		{"a part before", 1024, 1024, 4235, []int64{2048, 1024, 1024, 139}, 3 * time.Second},
		{"all at once", 500, 0, 145, []int64{145}, 0},
	} {
		l := rateLimit{perSecond: tt.perSecond, after: tt.after, start: start.Unix()}
		now, sent := start, int64(0)
		var got []int64
		for sent < tt.length {
			n, wait := l.allow(sent, now)
			if wait > 0 {
				now = now.Add(wait)
				continue
			}
			n = min(n, tt.length-sent)
			l.note(sent, sent+n, now)
			sent += n
			got = append(got, n)
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
				break
			}
		}
		if took := now.Sub(start); took != tt.end {
			t.Errorf("%s: took %v, want %v", tt.name, took, tt.end)
		}
	}
}

// TestRateLimitTake: what goes out as frames goes out in one breath as far as the rate
// allows, and then waits as one write would.
func TestRateLimitTake(t *testing.T) {
	start := time.Unix(1000, 0)
	l := rateLimit{perSecond: 20 << 10, start: start.Unix()}
	now, sent := start, int64(0)
	var at []time.Duration
	for left := 60_000; left > 0; {
		n := min(left, 8<<10)
		n, wait := l.take(sent, n, n == left, now)
		if wait > 0 {
			now = now.Add(wait)
			continue
		}
		left -= n
		sent += int64(n)
		at = append(at, now.Sub(start))
	}
	want := []time.Duration{0, 0, 0, 1, 1, 1, 2, 2, 2}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(at, want) {
		t.Errorf("frames go out at %v, want %v", at, want)
	}
}
