package limitconn

import (
	"fmt"
	"strings"
	"sync"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/limits"
	"github.com/moonphase/moonphase/phases/internal/slab"
)

// counts is what limit_conn_zone says, and the connections of each key.
type counts struct {
	key     core.Template
	keyText string // as written
	*table
}

// setZone reads limit_conn_zone KEY zone=NAME:SIZE.
func setZone(c *core.Compiler, d *conf.Directive) error {
	key, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	zoneName, size := "", int64(0)
	for _, arg := range d.Args[1:] {
		value, ok := strings.CutPrefix(arg, "zone=")
		if !ok {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if zoneName, size, err = limits.ParseZone(arg, value); err != nil {
			return err
		}
	}
	if zoneName == "" {
		return fmt.Errorf("\"%s\" must have \"zone\" parameter", d.Name)
	}
	z, err := c.Zone(name, zoneName, size)
	if err != nil {
		return err
	}
	if bound, ok := z.Data.(*counts); ok {
		return fmt.Errorf("%s \"%s\" is already bound to key \"%s\"", d.Name, zoneName, bound.keyText)
	}
	z.Data, z.Init = &counts{key: key, keyText: d.Args[0]}, initZone
	return nil
}

// initZone gives a zone its table, which a reload keeps as long as the key stays.
func initZone(z *core.Zone, old any) error {
	own := z.Data.(*counts)
	if was, ok := old.(*counts); ok {
		if was.keyText != own.keyText {
			return fmt.Errorf("limit_conn_zone \"%s\" uses the \"%s\" key while previously it used the \"%s\" key", z.Name, own.keyText, was.keyText)
		}
		own.table = was.table
		return nil
	}
	own.table = newTable(z)
	return nil
}

// table is the connections of all keys that have any, as many as the zone's memory
// holds in nginx.
type table struct {
	mu     sync.Mutex
	byKey  map[string]*connections
	memory *slab.Memory
}

// connections is how many a key has.
type connections struct {
	key string
	n   uint16
}

// What nginx puts into a zone's memory, in bytes: the root of its tree, a text for log
// lines, and for each key a node in front of it.
const (
	rootSize = 64
	textSize = len(` in limit_conn_zone ""`) + 1
	nodeSize = 36
)

func newTable(z *core.Zone) *table {
	t := &table{byKey: map[string]*connections{}, memory: slab.New(z.Size)}
	t.memory.Alloc(rootSize)
	t.memory.Alloc(textSize + len(z.Name))
	return t
}

// enter counts one more connection of a key. ok is false when it has as many as it
// may have, and there is nothing to give back when the zone is full.
func (t *table) enter(key string, most uint16) (k *connections, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k = t.byKey[key]
	switch {
	case k == nil:
		if !t.memory.Alloc(nodeSize + len(key)) {
			return nil, false
		}
		k = &connections{key: key}
		t.byKey[key] = k
	case k.n >= most:
		return k, false
	}
	k.n++
	return k, true
}

// leave takes a connection out; a key that has none any more is forgotten.
func (t *table) leave(k *connections) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.n--; k.n == 0 {
		delete(t.byKey, k.key)
		t.memory.Free(nodeSize + len(k.key))
	}
}
