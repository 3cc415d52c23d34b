package geo

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/runtime/inet"
)

// ranges are a geo block with ranges: for each upper half of an address the spans of
// lower halves, in order and apart from each other (ngx_http_geo_high_ranges_t).
type ranges struct {
	blocks     map[uint16][]span
	def        string
	hasDefault bool
}

// span is a part of a block, both ends in it.
type span struct {
	start, end uint16
	value      string
}

// line reads FIRST-LAST VALUE, default VALUE or delete FIRST-LAST (ngx_http_geo_range).
func (g *ranges) line(c *core.Compiler, line *conf.Directive) error {
	text, value := line.Name, line.Args[0]
	if text == "default" {
		if g.hasDefault {
			c.Warnf(line, "duplicate default geo range value: \"%s\", old value: \"%s\"", value, g.def)
		}
		g.def, g.hasDefault = value, true
		return nil
	}
	del := text == "delete"
	if del {
		text = value
	}
	first, last, ok := parseRange(text)
	if !ok {
		return fmt.Errorf("invalid range \"%s\"", text)
	}
	if g.blocks == nil {
		g.blocks = map[uint16][]span{}
	}
	missing := false
	for high := first >> 16; high <= last>>16; high++ {
		s := span{0, 0xffff, value}
		if high == first>>16 {
			s.start = uint16(first)
		}
		if high == last>>16 {
			s.end = uint16(last)
		}
		if del {
			missing = !g.remove(uint16(high), s) || missing
		} else if err := g.add(c, line, uint16(high), s); err != nil {
			return err
		}
	}
	if missing {
		c.Warnf(line, "no address range \"%s\" to delete", text)
	}
	return nil
}

// parseRange reads FIRST-LAST.
func parseRange(text string) (first, last uint32, ok bool) {
	from, to, _ := strings.Cut(text, "-")
	first, ok = number(from)
	if !ok {
		return 0, 0, false
	}
	last, ok = number(to)
	return first, last, ok && first <= last
}

// number is an IPv4 address as a number.
func number(text string) (uint32, bool) {
	text, ok := inet.ParseIPv4(text)
	if !ok {
		return 0, false
	}
	a := netip.MustParseAddr(text).As4()
	return binary.BigEndian.Uint32(a[:]), true
}

// add puts a span into a block. One that lies within another takes its part out of it,
// one that is there again replaces the value; others may not overlap
// (ngx_http_geo_add_range).
func (g *ranges) add(c *core.Compiler, line *conf.Directive, high uint16, s span) error {
	list := g.blocks[high]
	at, _ := slices.BinarySearchFunc(list, s.start, func(o span, start uint16) int { return cmp.Compare(o.end, start) })
	if at == len(list) || s.end < list[at].start { // apart from all others
		g.blocks[high] = slices.Insert(list, at, s)
		return nil
	}
	// It meets the one at at, and perhaps some behind it, of which nginx looks at the last first.
	for at+1 < len(list) && list[at+1].start <= s.end {
		at++
	}
	switch o := list[at]; {
	case s.start == o.start && s.end == o.end:
		c.Warnf(line, "duplicate range \"%s\", value: \"%s\", old value: \"%s\"", line.Name, s.value, o.value)
		list[at].value = s.value
	case s.start >= o.start && s.end <= o.end:
		parts := []span{s}
		if s.start > o.start {
			parts = append([]span{{o.start, s.start - 1, o.value}}, parts...)
		}
		if s.end < o.end {
			parts = append(parts, span{s.end + 1, o.end, o.value})
		}
		g.blocks[high] = slices.Replace(list, at, at+1, parts...)
	default:
		return fmt.Errorf("range \"%s\" overlaps \"%d.%d.%d.%d-%d.%d.%d.%d\"", line.Name,
			high>>8, high&255, o.start>>8, o.start&255, high>>8, high&255, o.end>>8, o.end&255)
	}
	return nil
}

// remove takes a span out; it must be one that was put in (ngx_http_geo_delete_range).
func (g *ranges) remove(high uint16, s span) bool {
	list := g.blocks[high]
	at := slices.IndexFunc(list, func(o span) bool { return o.start == s.start && o.end == s.end })
	if at < 0 {
		return false
	}
	g.blocks[high] = slices.Delete(list, at, at+1)
	return true
}

// find is the value for an IPv4 address.
func (g *ranges) find(addr netip.Addr) string {
	a := addr.As4()
	list := g.blocks[binary.BigEndian.Uint16(a[:])]
	low := binary.BigEndian.Uint16(a[2:])
	at, _ := slices.BinarySearchFunc(list, low, func(o span, low uint16) int { return cmp.Compare(o.end, low) })
	if at < len(list) && list[at].start <= low {
		return list[at].value
	}
	return g.def
}
