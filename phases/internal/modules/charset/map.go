package charset

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// known are the charsets that the configuration names, and what it says of turning one
// into another.
type known struct {
	charsets []charset
	maps     []charsetMap
	needed   [][2]int // from and to, of locations
}

// charset is one that the configuration names.
type charset struct {
	name string
	utf8 bool
}

// charsetMap is one charset_map, with the tables for both ways.
type charsetMap struct {
	from, to int
	forth    *table
	back     *table
}

// add makes a charset known, and gives its place.
func (m *known) add(name string) int {
	if i := m.find(name); i >= 0 {
		return i
	}
	m.charsets = append(m.charsets, charset{name, ngxtext.EqualFold(name, "utf-8")})
	return len(m.charsets) - 1
}

// find is the place of a charset, in any case; -1 for one that is not known.
func (m *known) find(name string) int {
	for i := range m.charsets {
		if ngxtext.EqualFold(m.charsets[i].name, name) {
			return i
		}
	}
	return -1
}

// need notes which charsets a location turns into each other.
func (m *known) need(c *config) {
	from, to := c.source.V, c.charset.V
	if from.on && to.on && from.variable < 0 && to.variable < 0 && from.charset != to.charset {
		m.needed = append(m.needed, [2]int{from.charset, to.charset})
	}
}

// check looks whether there is a charset_map for each pair that is needed.
func (m *known) check() error {
	for _, pair := range m.needed {
		if m.between(pair[0], pair[1]) == nil {
			return fmt.Errorf("no \"charset_map\" between the charsets \"%s\" and \"%s\"", m.charsets[pair[0]].name, m.charsets[pair[1]].name)
		}
	}
	return nil
}

// between is the table from one charset to another, nil without one.
func (m *known) between(from, to int) *table {
	for i := len(m.maps) - 1; i >= 0; i-- {
		if t := m.maps[i].between(from, to); t != nil {
			return t
		}
	}
	return nil
}

func (cm *charsetMap) between(from, to int) *table {
	switch {
	case cm.from == from && cm.to == to:
		return cm.forth
	case cm.from == to && cm.to == from:
		return cm.back
	}
	return nil
}

// setMap reads charset_map FROM TO { ... } (ngx_http_charset_map_block).
func setMap(c *core.Compiler, d *conf.Directive) error {
	m := main.At(c)
	from, to := m.add(d.Args[0]), m.add(d.Args[1])
	if from == to {
		return fmt.Errorf("\"charset_map\" between the same charsets \"%s\" and \"%s\"", d.Args[0], d.Args[1])
	}
	if len(m.maps) > 0 && m.maps[0].between(from, to) != nil { // of others the last one counts
		return fmt.Errorf("duplicate \"charset_map\" between \"%s\" and \"%s\"", d.Args[0], d.Args[1])
	}
	utf8 := m.charsets[to].utf8
	cm := charsetMap{from, to, &table{toUTF8: utf8}, &table{fromUTF8: utf8}}
	cm.forth.fill()
	cm.back.fill()
	for _, line := range d.Block {
		if err := cm.line(line); err != nil {
			return c.Located(line, err)
		}
	}
	m.maps = append(m.maps, cm)
	return nil
}

// line reads a row: a byte, and the byte or the UTF-8 that it becomes
// (ngx_http_charset_map).
func (cm *charsetMap) line(line *conf.Directive) error {
	switch {
	case line.Err != nil:
		return line.Err
	case line.HasBlock:
		return fmt.Errorf("unexpected \"{\"")
	case len(line.Args) != 1:
		return fmt.Errorf("invalid parameters number")
	}
	from, ok := hexByte(line.Name)
	if !ok {
		return fmt.Errorf("invalid value \"%s\"", line.Name)
	}
	text := line.Args[0]
	invalid := fmt.Errorf("invalid value \"%s\"", text)
	if !cm.forth.toUTF8 {
		to, ok := hexByte(text)
		if !ok {
			return invalid
		}
		cm.forth.bytes[from] = to
		cm.back.bytes[to] = from
		return nil
	}
	const longest = 3 // what a byte may become, as of UTF-8 no more than 16 bits can be looked up
	var to []byte
	for i := 0; i < len(text); i += 2 {
		b, ok := hexByte(text[i:min(i+2, len(text))])
		if !ok || len(to) == longest {
			return invalid
		}
		to = append(to, b)
	}
	n, _ := decode(to)
	if n > 0xffff {
		return invalid
	}
	cm.forth.texts[from] = string(to)
	cm.back.runes[uint16(n)] = from
	return nil
}

// hexByte reads a byte in hexadecimal.
func hexByte(s string) (byte, bool) {
	n := 0
	for i := range len(s) {
		d := ngxtext.HexDigit(s[i])
		if n = n<<4 | d; d < 0 || n > 255 {
			return 0, false
		}
	}
	return byte(n), s != ""
}
