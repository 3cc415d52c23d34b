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
		return []core.Directive{{Name: "zone", In: core.InUpstream, Args: core.Take12, Set: checkZone}}
	},
}

// checkZone reads zone NAME [SIZE]. The workers are threads of one process,
// which share the peers anyway.
func checkZone(_ *core.Compiler, d *conf.Directive) error {
	name := d.Args[0]
	if name == "" {
		return fmt.Errorf("invalid zone name \"%s\"", name)
	}
	if len(d.Args) == 1 {
		return nil
	}
	n, ok := ngxtext.ParseSize(d.Args[1], false)
	if !ok {
		return fmt.Errorf("invalid zone size \"%s\"", d.Args[1])
	}
	if n < core.MinZone {
		return fmt.Errorf("zone \"%s\" is too small", name)
	}
	return nil
}
