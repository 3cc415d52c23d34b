package cosocket

import (
	"bytes"

	rt "github.com/moonphase/moonphase/runtime"
)

// until is a streaming search for the pattern of receiveuntil. It looks at each byte
// once and keeps its place between reads and between calls, so the same bytes come
// back however the stream is cut into packets.
type until struct {
	pattern   []byte
	border    []int // border[i]: length of the longest proper prefix of pattern[:i] that ends it
	inclusive bool
	state     int  // how much of the pattern the bytes seen so far end with
	ended     bool // a sized read has reached the pattern; the next call says so
}

func newUntil(pattern string, inclusive bool) *until {
	u := &until{pattern: []byte(pattern), inclusive: inclusive, border: make([]int, len(pattern)+1)}
	for i, k := 1, 0; i < len(pattern); i++ {
		for k > 0 && pattern[i] != pattern[k] {
			k = u.border[k]
		}
		if pattern[i] == pattern[k] {
			k++
		}
		u.border[i+1] = k
	}
	return u
}

// feed looks at data. It appends to out the bytes that cannot belong to the pattern
// and returns how many bytes of data it consumed and whether the read is complete:
// at the pattern, or when at least size bytes are in out, for size > 0. Like ngx_lua's,
// a sized read that finds that it took the start of a pattern for one gives those
// bytes as a whole, even when they are more than size.
func (u *until) feed(out, data []byte, size int) (rest []byte, consumed int, done bool) {
	for i := 0; i < len(data); {
		c := data[i]
		if c == u.pattern[u.state] {
			i++
			if u.state++; u.state < len(u.pattern) {
				continue
			}
			u.state, u.ended = 0, size > 0
			if u.inclusive {
				out = append(out, u.pattern...)
			}
			return out, i, true
		}
		if u.state == 0 {
			n := len(data) - i
			if k := bytes.IndexByte(data[i:], u.pattern[0]); k >= 0 {
				n = k
			}
			if size > 0 && len(out)+n >= size {
				n = size - len(out)
				return append(out, data[i:i+n]...), i + n, true
			}
			out = append(out, data[i:i+n]...)
			i += n
			continue
		}
		k := u.border[u.state]
		for k > 0 && u.pattern[k] != c {
			k = u.border[k]
		}
		if k == 0 {
			out = append(out, u.pattern[:u.state]...)
			u.state = 0
			if size > 0 && len(out) >= size {
				return out, i, true
			}
			continue // c may begin the pattern
		}
		out = append(out, u.pattern[:u.state-k]...)
		u.state = k + 1
		i++
		if size > 0 && len(out) >= size {
			return out, i, true
		}
	}
	return out, len(data), false
}

// read is one call of the iterator; size 0 means up to the pattern.
func (u *until) read(th *rt.Thread, s *Socket, size int) (string, string) {
	var out []byte
	for {
		if len(s.in) > 0 {
			rest, n, done := u.feed(out, s.in, size)
			out = rest
			s.consume(n)
			if done {
				return string(out), ""
			}
		}
		if failure := s.fill(th); failure != "" {
			s.failRead(failure)
			return string(out), failure
		}
	}
}
