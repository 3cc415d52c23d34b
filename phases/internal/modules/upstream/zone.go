package upstream

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// ZoneModule is ngx_http_upstream_zone_module.
var ZoneModule = &core.Module{
	Name: "upstream_zone",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "zone", In: core.InUpstream, Args: core.Take12, Set: setZone}}
	},
}

// setZone reads zone NAME [SIZE]. The workers are threads of one process, which
// share the peers anyway.
func setZone(c *core.Compiler, d *conf.Directive) error {
	name, size := d.Args[0], int64(0)
	if name == "" {
		return fmt.Errorf("invalid zone name \"%s\"", name)
	}
	if len(d.Args) == 2 {
		var ok bool
		if size, ok = ngxtext.ParseSize(d.Args[1], false); !ok {
			return fmt.Errorf("invalid zone size \"%s\"", d.Args[1])
		}
		if size < core.MinZone {
			return fmt.Errorf("zone \"%s\" is too small", name)
		}
	}
	z, err := c.Zone("upstream", name, size)
	if err != nil {
		return err
	}
	u := Server.At(c)
	u.zone = z
	members, _ := z.Data.(*zoneMembers)
	if members == nil {
		members = &zoneMembers{}
		z.Data, z.Init = members, initZone
	}
	members.list = append(members.list, u)
	return nil
}

// zoneMembers are the upstreams whose peers are in a zone.
type zoneMembers struct{ list []*Upstream }

// initZone gives names what they were resolved to before a reload, so that the first
// requests after it have peers to go to.
func initZone(z *core.Zone, old any) error {
	before, _ := old.(*zoneMembers)
	if before == nil {
		return nil
	}
	known := map[[2]string]*name{}
	for _, u := range before.list {
		for _, n := range u.names {
			known[[2]string{n.host, n.service}] = n
		}
	}
	for _, u := range z.Data.(*zoneMembers).list {
		for _, n := range u.names {
			was := known[[2]string{n.host, n.service}]
			if was == nil {
				continue
			}
			was.u.mu.Lock()
			targets := was.targets
			was.u.mu.Unlock()
			n.update(targets)
		}
	}
	return nil
}
