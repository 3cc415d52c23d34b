package charset

import (
	"strconv"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// table turns texts of one charset into another.
type table struct {
	toUTF8, fromUTF8 bool

	bytes [256]byte       // of two charsets of bytes
	texts [256]string     // to UTF-8
	runes map[uint16]byte // from UTF-8
}

// fill begins a table: ASCII stays, and nothing is known of the rest.
func (t *table) fill() {
	t.runes = map[uint16]byte{}
	for i := range 256 {
		c := byte(i)
		if i >= 0x80 {
			c = '?'
		}
		t.bytes[i], t.texts[i] = c, string(rune(c))
	}
}

// recoding is what goes on with a response.
type recoding struct {
	table *table
	to    named
	saved []byte // the beginning of a character of UTF-8
}

// body turns a piece of the body (ngx_http_charset_body_filter).
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	s := note.Get(r)
	if s == nil || len(p) == 0 {
		return next.Pass(r, p, flags)
	}
	switch {
	case s.table.toUTF8:
		p = s.table.encode(p)
	case s.table.fromUTF8:
		p = s.decode(p)
	default:
		out := make([]byte, len(p))
		for i, c := range p {
			out[i] = s.table.bytes[c]
		}
		p = out
	}
	if len(p) == 0 && flags == 0 {
		return core.OK
	}
	return next.Pass(r, p, flags)
}

// asIs is how much of a piece is passed on as it is, when nothing in it becomes UTF-8 of
// more than one byte, instead of being copied.
const asIs = 512

// encode turns bytes into UTF-8. What stands before the first that takes more than one is
// left as it is when it is long, and so is a piece that has none such: there are no
// question marks for what the table does not have (ngx_http_charset_recode_to_utf8).
func (t *table) encode(p []byte) []byte {
	first := 0
	for first < len(p) && len(t.texts[p[first]]) == 1 {
		first++
	}
	switch {
	case first == len(p):
		return p
	case first <= asIs:
		first = 0
	}
	out := append(make([]byte, 0, len(p)+len(p)/2), p[:first]...)
	for _, c := range p[first:] {
		out = append(out, t.texts[c]...)
	}
	return out
}

// What decode gives for what is no character.
const (
	broken     = 0xffffffff
	incomplete = 0xfffffffe
)

// maxRune is the greatest number of a character.
const maxRune = 0x10ffff

// decode turns UTF-8 into bytes. Characters that the table does not have become references
// of HTML, what is no UTF-8 question marks (ngx_http_charset_recode_from_utf8).
func (s *recoding) decode(p []byte) []byte {
	if len(s.saved) > 0 {
		p = append(s.saved, p...)
		s.saved = nil
	}
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		if p[0] < 0x80 {
			out = append(out, p[0])
			p = p[1:]
			continue
		}
		n, size := decode(p)
		if n == incomplete {
			s.saved = append([]byte(nil), p...)
			break
		}
		p = p[size:]
		c := byte(0)
		if n <= 0xffff {
			c = s.table.runes[uint16(n)]
		}
		switch {
		case c != 0:
			out = append(out, c)
		case n > maxRune:
			out = append(out, '?')
		default:
			out = append(out, "&#"...)
			out = append(strconv.AppendUint(out, uint64(n), 10), ';')
		}
	}
	return out
}

// decode reads a character that is not ASCII, by nginx's measure of what is UTF-8
// (ngx_utf8_decode). What is broken takes the bytes up to there.
func decode(p []byte) (n uint32, size int) {
	if len(p) == 0 {
		return broken, 0
	}
	u, least := uint32(p[0]), uint32(0)
	switch {
	case u < 0xc2:
		return broken, 1
	case u >= 0xf0:
		u, least, size = u&0x07, 0xffff, 4
	case u >= 0xe0:
		u, least, size = u&0x0f, 0x7ff, 3
	default:
		u, least, size = u&0x1f, 0x7f, 2
	}
	if len(p) < size {
		return incomplete, 0
	}
	for i := 1; i < size; i++ {
		if p[i] < 0x80 {
			return broken, i + 1
		}
		u = u<<6 | uint32(p[i]&0x3f)
	}
	if u > least {
		return u, size
	}
	return broken, size
}
