package serve

import (
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
