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
	_, err := c.Zone("upstream", name, size)
	return err
}
