// Package splitclients is ngx_http_split_clients_module: a variable whose values are
// dealt out by percentages, always the same one to the same text.
package splitclients

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_split_clients_module.
var Module = &core.Module{
	Name: "split_clients",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "split_clients", In: core.InHTTP, Args: core.Take2 | core.TakeBlock, Set: setSplit},
		}
	},
}

// table is one split_clients.
type table struct {
	key   core.Template
	parts []part
}

// part is a line of the block.
type part struct {
	share uint32 // hundredths of a percent; 0: all that is left
	end   uint32 // hashes below it belong to the part
	value string
}

// whole is 100 percent.
const whole = 100_00

// setSplit reads split_clients KEY $variable { ... }.
func setSplit(c *core.Compiler, d *conf.Directive) error {
	key, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	name, found := strings.CutPrefix(d.Args[1], "$")
	if !found {
		return fmt.Errorf("invalid variable name \"%s\"", d.Args[1])
	}
	v, err := c.AddVar(name)
	if err != nil {
		return err
	}
	t := &table{key: key}
	for _, line := range d.Block {
		if err := t.add(line); err != nil {
			return c.Located(line, err)
		}
	}
	if err := t.settle(); err != nil {
		return err
	}
	v.Get = core.Always(t.lookup)
	return nil
}

// add reads one line: a percentage or *, and a value (ngx_http_split_clients).
func (t *table) add(line *conf.Directive) error {
	switch {
	case line.Err != nil:
		return line.Err
	case line.HasBlock:
		return fmt.Errorf("unexpected \"{\"")
	case len(line.Args) == 0: // nginx reads on behind its own words
		return fmt.Errorf("invalid number of the split_clients parameters")
	}
	p := part{value: line.Args[0]}
	if line.Name != "*" {
		text, found := strings.CutSuffix(line.Name, "%")
		n, ok := hundredths(text)
		if !found || !ok || n == 0 {
			return fmt.Errorf("invalid percent value \"%s\"", line.Name)
		}
		p.share = uint32(n)
	}
	t.parts = append(t.parts, p)
	return nil
}

// hundredths reads a number with up to two decimals (ngx_atofp).
func hundredths(text string) (n int64, ok bool) {
	number, decimals, _ := strings.Cut(text, ".")
	if len(decimals) > 2 || text == "" {
		return 0, false
	}
	n, ok = ngxtext.ParseDecimal(number + decimals + "00"[len(decimals):])
	return n, ok
}

// settle turns the shares into ranges of hashes.
func (t *table) settle() error {
	sum, end := uint32(0), uint32(0)
	for i := range t.parts {
		p := &t.parts[i]
		sum += p.share
		if p.share == 0 {
			sum = whole
		}
		if sum > whole {
			return fmt.Errorf("percent total is greater than 100%%")
		}
		end += uint32(uint64(p.share) * math.MaxUint32 / whole)
		p.end = end
	}
	return nil
}

// lookup is the value for a request; "" where no part is left for it.
func (t *table) lookup(r *core.Request) string {
	hash := murmurHash2(t.key.Eval(r))
	for i := range t.parts {
		if p := &t.parts[i]; p.share == 0 || hash < p.end {
			return p.value
		}
	}
	return ""
}

// murmurHash2 is MurmurHash2 with the seed 0 (ngx_murmur_hash2).
func murmurHash2(s string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := binary.LittleEndian.Uint32([]byte(s[:4])) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	if len(s) > 0 {
		var rest [4]byte
		copy(rest[:], s)
		h = (h ^ binary.LittleEndian.Uint32(rest[:])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
