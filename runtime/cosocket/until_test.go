package cosocket

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// naiveUntil is what feed must do with the whole stream at hand, one byte at a time.
type naiveUntil struct {
	pattern string
	data    string
}

// next returns what one call of the iterator gives, and false at the end of the data.
func (m *naiveUntil) next(inclusive bool) (string, bool) {
	i := bytes.Index([]byte(m.data), []byte(m.pattern))
	if i < 0 {
		return m.data, false
	}
	out := m.data[:i]
	if inclusive {
		out += m.pattern
	}
	m.data = m.data[i+len(m.pattern):]
	return out, true
}

func randomText(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ab-"[r.IntN(3)]
	}
	return string(b)
}

// feedSplit gives data to u in pieces that cuts chooses, and collects the results.
func feedSplit(u *until, data string, size int, cut func(left int) int) (results []string, rest string) {
	var out []byte
	for len(data) > 0 {
		piece := []byte(data[:cut(len(data))])
		data = data[len(piece):]
		for len(piece) > 0 {
			got, n, done := u.feed(out, piece, size)
			out, piece = got, piece[n:]
			if done {
				results = append(results, string(out))
				out = nil
				if u.ended {
					u.ended = false
					results = append(results, "END")
				}
			}
		}
	}
	return results, string(out) + string(u.pattern[:u.state])
}

func TestUntilAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		pattern, data := randomText(r, 1+r.IntN(6)), randomText(r, r.IntN(60))
		inclusive := r.IntN(2) == 0
		model := &naiveUntil{pattern, data}
		got, rest := feedSplit(newUntil(pattern, inclusive), data, 0, func(left int) int { return 1 + r.IntN(left) })
		for _, g := range got {
			if want, ok := model.next(inclusive); !ok || g != want {
				t.Fatalf("pattern %q in %q: got %q, want %q", pattern, data, g, want)
			}
		}
		if want, ok := model.next(inclusive); ok || rest != want {
			t.Fatalf("pattern %q in %q: rest is %q, want %q", pattern, data, rest, want)
		}
	}
}

// TestUntilSizedSplits wants a sized read to give the same for every split, and all
// the bytes between the patterns.
func TestUntilSizedSplits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		pattern, data := randomText(r, 1+r.IntN(6)), randomText(r, r.IntN(60))
		size := 1 + r.IntN(8)
		whole, rest := feedSplit(newUntil(pattern, false), data, size, func(left int) int { return left })
		bytewise, rest1 := feedSplit(newUntil(pattern, false), data, size, func(int) int { return 1 })
		split, rest2 := feedSplit(newUntil(pattern, false), data, size, func(left int) int { return 1 + r.IntN(left) })
		for i, w := range whole {
			if bytewise[i] != w || split[i] != w {
				t.Fatalf("pattern %q size %d in %q: %q, %q, %q", pattern, size, data, whole, bytewise, split)
			}
		}
		if len(whole) != len(split) || len(whole) != len(bytewise) || rest != rest1 || rest != rest2 {
			t.Fatalf("pattern %q size %d in %q: %q, %q, %q", pattern, size, data, whole, bytewise, split)
		}
		model, between := &naiveUntil{pattern, data}, ""
		for _, w := range whole {
			if w != "END" {
				between += w
				continue
			}
			if want, ok := model.next(false); !ok || between != want {
				t.Fatalf("pattern %q size %d in %q: got %q, want %q", pattern, size, data, between, want)
			}
			between = ""
		}
	}
}

func FuzzUntil(f *testing.F) {
	f.Add("--", "a-b--c", 3)
	f.Fuzz(func(t *testing.T, pattern, data string, cut int) {
		if pattern == "" || cut < 1 {
			return
		}
		model := &naiveUntil{pattern, data}
		got, rest := feedSplit(newUntil(pattern, true), data, 0, func(left int) int { return min(left, cut) })
		for _, g := range got {
			if want, ok := model.next(true); !ok || g != want {
				t.Fatalf("got %q, want %q", g, want)
			}
		}
		if want, _ := model.next(true); rest != want {
			t.Fatalf("rest %q, want %q", rest, want)
		}
	})
}
