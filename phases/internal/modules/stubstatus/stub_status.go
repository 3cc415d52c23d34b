// Package stubstatus is ngx_http_stub_status_module: a page and variables that count
// connections and requests.
package stubstatus

import (
	"fmt"
	"strconv"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_stub_status_module.
var Module = &core.Module{
	Name: "stub_status",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "stub_status", In: core.InServer | core.InLocation, Args: core.Take0 | core.Take1, Set: set},
		}
	},
	Variables: func() []core.Variable {
		return []core.Variable{
			counter("connections_active", func(s core.Stat) int64 { return s.Active }),
			counter("connections_reading", func(s core.Stat) int64 { return s.Reading }),
			counter("connections_writing", func(s core.Stat) int64 { return s.Writing }),
			counter("connections_waiting", func(s core.Stat) int64 { return s.Waiting }),
		}
	},
}

// counter is the variable of one number.
func counter(name string, of func(core.Stat) int64) core.Variable {
	return core.Variable{Name: name, Volatile: true, Get: core.Always(func(r *core.Request) string {
		return strconv.FormatInt(of(core.StatOf(r)), 10)
	})}
}

func set(c *core.Compiler, _ *conf.Directive) error {
	c.Loc.Handler = handler
	return nil
}

// handler answers with the page (ngx_http_stub_status_handler).
func handler(r *core.Request) int {
	if r.Method != "GET" && r.Method != "HEAD" {
		return 405
	}
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	s := core.StatOf(r)
	page := fmt.Sprintf("Active connections: %d \n"+
		"server accepts handled requests\n %d %d %d \n"+
		"Reading: %d Writing: %d Waiting: %d \n",
		s.Active, s.Accepted, s.Handled, s.Requests, s.Reading, s.Writing, s.Waiting)
	r.Out.Status, r.Out.ContentType, r.Out.ContentLength = 200, "text/plain", int64(len(page))
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.Output([]byte(page), true)
}
