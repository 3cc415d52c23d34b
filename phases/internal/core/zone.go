package core

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Zone is what requests of all workers share under a name, and what a reload keeps
// (ngx_shm_zone_t). Directives may name it in any order; one of them gives its size.
type Zone struct {
	Name string
	Size int64  // bytes; 0 as long as no directive has given it
	user string // the module whose it is
	// Data is the module's.
	Data any
	// Init, when not nil, fills Data before the first request. old is the Data of the
	// zone that had the same name, size and user before a reload, nil when there is none.
	Init func(z *Zone, old any) error
}

// Zone finds or makes the zone that a directive of a module names; size is 0 where
// the directive does not give it (ngx_shared_memory_add).
func (c *Compiler) Zone(user, name string, size int64) (*Zone, error) {
	z := findZone(c.Cycle, name)
	switch {
	case z == nil:
		z = &Zone{Name: name, Size: size, user: user}
		c.Cycle.zones = append(c.Cycle.zones, z)
	case z.user != user:
		return nil, fmt.Errorf("the shared memory zone \"%s\" is already declared for a different use", name)
	case z.Size == 0:
		z.Size = size
	case size != 0 && size != z.Size:
		return nil, fmt.Errorf("the size %d of shared memory zone \"%s\" conflicts with already declared size %d", size, name, z.Size)
	}
	return z, nil
}

// findZone is the zone of that name, nil without one.
func findZone(c *Cycle, name string) *Zone {
	for _, z := range c.zones {
		if z.Name == name {
			return z
		}
	}
	return nil
}

// checkZones refuses zones that directives use and none gives a size.
func (c *Compiler) checkZones() error {
	for _, z := range c.Cycle.zones {
		if z.Size == 0 {
			return &conf.Error{Msg: fmt.Sprintf("zero size shared memory zone \"%s\"", z.Name)}
		}
	}
	return nil
}

// startZones fills the zones, with what those of the configuration before had.
func (c *Cycle) startZones() error {
	for _, z := range c.zones {
		var old any
		if c.previous != nil {
			if was := findZone(c.previous, z.Name); was != nil && was.Size == z.Size && was.user == z.user {
				old = was.Data
			}
		}
		if z.Init == nil {
			continue
		}
		if err := z.Init(z, old); err != nil {
			c.Log.Output(errlog.Emerg, 0, err.Error())
			return err
		}
	}
	c.previous = nil
	return nil
}
