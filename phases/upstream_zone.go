package phases

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
)

// upstreamZoneModule is ngx_http_upstream_zone_module.
var upstreamZoneModule = &Module{
	name: "upstream_zone",
	directives: func() []directive {
		return []directive{{"zone", inUpstream, take12, checkUpstreamZone}}
	},
}

// checkUpstreamZone reads zone NAME [SIZE]. The workers are threads of one process,
// which share the peers anyway.
func checkUpstreamZone(_ *compiler, d *conf.Directive) error {
	name := d.Args[0]
	if name == "" {
		return fmt.Errorf("invalid zone name \"%s\"", name)
	}
	if len(d.Args) == 1 {
		return nil
	}
	n, ok := parseSize(d.Args[1], false)
	if !ok {
		return fmt.Errorf("invalid zone size \"%s\"", d.Args[1])
	}
	if n < minZone {
		return fmt.Errorf("zone \"%s\" is too small", name)
	}
	return nil
}
