package upstream

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// trailerer is a Protocol whose responses may have fields behind the body.
type trailerer interface{ Trailers() core.Headers }

// takeTrailers passes the fields behind the body on (ngx_http_upstream_process_trailers).
func (x *Exchange) takeTrailers() {
	p, ok := x.proto.(trailerer)
	if !ok {
		return
	}
	x.State.Trailers = p.Trailers()
	for _, h := range x.State.Trailers {
		if x.R == x.R.Main && !x.Conf.hides(ngxtext.Lower(h.Name)) {
			x.R.SentTrailers = append(x.R.SentTrailers, h)
		}
	}
}
