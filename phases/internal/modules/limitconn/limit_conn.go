// Package limitconn is ngx_http_limit_conn_module: only so many requests of one key
// are served at a time. What is counted is a connection whose request's head has been
// read, until that request is freed; each request of an HTTP/2 connection counts.
package limitconn

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/limits"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// name is nginx's word for the module and its zones.
const name = "limit_conn"

// Module is ngx_http_limit_conn_module.
var Module = &core.Module{
	Name:       name,
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "limit_conn_status", Volatile: true, Get: statusVar}}
	},
	Conf: []core.ConfSlot{loc},
	Detach: func(main, twin *core.Request) { // is looked at no more, and holds nothing
		if v := note.Get(main); v != nil {
			note.Of(twin).text = v.text
		}
	},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).limits != nil {
			b.Handle(core.PreaccessPhase, handler)
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote(resetVerdict) // of the main request
)

// config is what the directives say in a location.
type config struct {
	limits  []limit
	refusal limits.Refusal
}

// limit is one limit_conn: how many connections a key of the zone may have.
type limit struct {
	zone *core.Zone
	max  uint16
}

func (l *limit) counts() *counts { return l.zone.Data.(*counts) }

func merge(c, outer *config, _ bool) {
	if c.limits == nil {
		c.limits = outer.limits
	}
	c.refusal.Merge(&outer.refusal)
}

func directives() []core.Directive {
	own := []core.Directive{
		{Name: "limit_conn_zone", In: core.InHTTP, Args: core.Take2, Set: setZone},
		{Name: "limit_conn", In: core.InHTTPSrvLoc, Args: core.Take2, Set: setLimit},
	}
	return append(own, limits.Directives(name, func(c *core.Compiler) *limits.Refusal { return &loc.At(c).refusal })...)
}

// setLimit reads limit_conn ZONE NUMBER.
func setLimit(c *core.Compiler, d *conf.Directive) error {
	z, err := c.Zone(name, d.Args[0], 0)
	if err != nil {
		return err
	}
	own := loc.At(c)
	for i := range own.limits {
		if own.limits[i].zone == z {
			return core.ErrDuplicate
		}
	}
	n, ok := ngxtext.ParseDecimal(d.Args[1])
	switch {
	case !ok || n <= 0:
		return fmt.Errorf("invalid number of connections \"%s\"", d.Args[1])
	case n > 65535:
		return fmt.Errorf("connection limit must be less 65536")
	}
	own.limits = append(own.limits, limit{z, uint16(n)})
	return nil
}

// verdict is what became of a request, as $limit_conn_status gives it, and where it
// is counted. A request that no limit has looked at has none.
type verdict struct {
	text string
	held []held
}

// held is a count that has this request in it.
type held struct {
	in  *counts
	key *connections
}

const (
	passed         = "PASSED"
	rejected       = "REJECTED"
	rejectedDryRun = "REJECTED_DRY_RUN"
)

func resetVerdict(v *verdict) {
	clear(v.held)
	v.text, v.held = "", v.held[:0]
}

func statusVar(r *core.Request) (string, bool) {
	v := note.Get(r.Main)
	if v == nil {
		return "", false
	}
	return v.text, true
}

// maxKey is the length of the longest key, in bytes.
const maxKey = 255

// handler counts a request or refuses it. That happens once to a request: not again
// for its subrequests and internal redirects (ngx_http_limit_conn_handler).
func handler(r *core.Request) int {
	if note.Get(r.Main) != nil {
		return core.Declined
	}
	c := loc.Of(r.Loc)
	for i := range c.limits {
		l := &c.limits[i]
		z := l.counts()
		key := z.key.Eval(r)
		if key == "" {
			continue
		}
		if len(key) > maxKey {
			r.Logf(errlog.Err, "the value of the \"%s\" key is more than 255 bytes: \"%s\"", z.keyText, key)
			continue
		}
		v := note.Of(r.Main)
		v.text = passed
		k, ok := z.enter(key, l.max)
		switch {
		case ok:
			if len(v.held) == 0 {
				r.OnFree(free)
			}
			v.held = append(v.held, held{z, k})
			continue
		case k == nil:
			if log := r.Cycle.Log; log != nil {
				log.Output(errlog.Crit, 0, fmt.Sprintf("ngx_slab_alloc() failed: no memory in limit_conn_zone \"%s\"", l.zone.Name))
			}
		default:
			r.Logf(c.refusal.LogLevel.V, "limiting connections%s by zone \"%s\"", c.dryRunText(), l.zone.Name)
		}
		v.release()
		if c.refusal.DryRun.V {
			v.text = rejectedDryRun
			return core.Declined
		}
		v.text = rejected
		return c.refusal.Status.V
	}
	return core.Declined
}

// dryRunText is what log lines say of a dry run.
func (c *config) dryRunText() string {
	if c.refusal.DryRun.V {
		return ", dry run,"
	}
	return ""
}

// free takes a request that has ended out of all counts.
func free(main *core.Request) {
	if v := note.Get(main); v != nil {
		v.release()
	}
}

// release takes the request out of all counts, the last one first.
func (v *verdict) release() {
	for i := len(v.held) - 1; i >= 0; i-- {
		v.held[i].in.leave(v.held[i].key)
	}
	clear(v.held)
	v.held = v.held[:0]
}
