// Package limitreq is ngx_http_limit_req_module: requests come in at a rate, and in
// bursts up to a number; what is above waits or is refused.
package limitreq

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/limits"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// name is nginx's word for the module and its zones.
const name = "limit_req"

// Module is ngx_http_limit_req_module.
var Module = &core.Module{
	Name:       name,
	Directives: directives,
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "limit_req_status", Volatile: true, Get: statusVar}}
	},
	Conf: []core.ConfSlot{loc},
	Detach: func(main, twin *core.Request) { // is looked at no more
		if v := note.Get(main); v != nil {
			*note.Of(twin) = *v
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
	note = core.NewNote[verdict](nil) // of the main request
)

// config is what the directives say in a location.
type config struct {
	limits  []limit
	refusal limits.Refusal // of requests; a delay is one level less important
}

// limit is one limit_req. Excesses are in thousandths of a request.
type limit struct {
	zone  *core.Zone
	burst int64 // above it requests are refused
	delay int64 // up to it nobody waits
}

func (l *limit) rate() *rate { return l.zone.Data.(*rate) }

func merge(c, outer *config, _ bool) {
	if c.limits == nil {
		c.limits = outer.limits
	}
	c.refusal.Merge(&outer.refusal)
}

func directives() []core.Directive {
	own := []core.Directive{
		{Name: "limit_req_zone", In: core.InHTTP, Args: core.Take3, Set: setZone},
		{Name: "limit_req", In: core.InHTTPSrvLoc, Args: core.Take123, Set: setLimit},
	}
	return append(own, limits.Directives(name, func(c *core.Compiler) *limits.Refusal { return &loc.At(c).refusal })...)
}

// setLimit reads limit_req zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER].
func setLimit(c *core.Compiler, d *conf.Directive) error {
	var l limit
	for _, arg := range d.Args {
		word, value, _ := strings.Cut(arg, "=")
		var field *int64
		switch {
		case strings.HasPrefix(arg, "zone="):
			var err error
			if l.zone, err = c.Zone(name, value, 0); err != nil {
				return err
			}
			continue
		case strings.HasPrefix(arg, "burst="):
			field = &l.burst
		case strings.HasPrefix(arg, "delay="):
			field = &l.delay
		case arg == "nodelay":
			l.delay = math.MaxInt64
			continue
		default:
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		n, ok := ngxtext.ParseDecimal(value)
		if !ok || n <= 0 {
			return fmt.Errorf("invalid %s value \"%s\"", word, arg)
		}
		*field = n * 1000
	}
	if l.zone == nil {
		return fmt.Errorf("\"%s\" must have \"zone\" parameter", d.Name)
	}
	own := loc.At(c)
	for i := range own.limits {
		if own.limits[i].zone == l.zone {
			return core.ErrDuplicate
		}
	}
	own.limits = append(own.limits, l)
	return nil
}

// verdict is what became of a request, as $limit_req_status gives it. A request that
// no limit has counted has none.
type verdict struct{ text string }

const (
	passed         = "PASSED"
	delayed        = "DELAYED"
	rejected       = "REJECTED"
	delayedDryRun  = "DELAYED_DRY_RUN"
	rejectedDryRun = "REJECTED_DRY_RUN"
)

func statusVar(r *core.Request) (string, bool) {
	v := note.Get(r.Main)
	if v == nil {
		return "", false
	}
	return v.text, true
}

// handler lets a request pass, makes it wait or refuses it. That happens once to a
// request: not again for its subrequests and internal redirects
// (ngx_http_limit_req_handler).
func handler(r *core.Request) int {
	if note.Get(r.Main) != nil {
		return core.Declined
	}
	c := loc.Of(r.Loc)
	a := attempt{r: r, c: c, now: clock(), asked: make([]asked, len(c.limits))}
	defer a.release()
	for i := range c.limits {
		l := &c.limits[i]
		z := l.rate()
		key := z.key.Eval(r)
		if key == "" {
			continue
		}
		if len(key) > math.MaxUint16 {
			r.Logf(errlog.Err, "the value of the \"%s\" key is more than 65535 bytes: \"%s\"", z.keyText, key)
			continue
		}
		q, ok := z.ask(key, l.burst, a.now, i == len(c.limits)-1)
		switch {
		case ok:
			a.asked[i] = q
		case q.state == nil:
			if log := r.Cycle.Log; log != nil {
				log.Output(errlog.Alert, 0, fmt.Sprintf("could not allocate node in limit_req zone \"%s\"", l.zone.Name))
			}
			return a.refuse()
		default:
			r.Logf(c.refusal.LogLevel.V, "limiting requests%s, excess: %s by zone \"%s\"", a.dryRun(), thousandths(q.excess), l.zone.Name)
			return a.refuse()
		}
	}
	return a.account()
}

// attempt is a request on its way through the limits of a location. All are asked
// before one counts it: who is refused by the last has cost the first nothing.
type attempt struct {
	r     *core.Request
	c     *config
	now   int64
	asked []asked // by limit; zero for one without a key
}

// dryRun is what log lines say of a dry run.
func (a *attempt) dryRun() string {
	if a.c.refusal.DryRun.V {
		return ", dry run"
	}
	return ""
}

// judge notes the verdict and lets the request go on.
func (a *attempt) judge(text string) int {
	note.Of(a.r.Main).text = text
	return core.Declined
}

func (a *attempt) refuse() int {
	if a.c.refusal.DryRun.V {
		return a.judge(rejectedDryRun)
	}
	a.judge(rejected)
	return a.c.refusal.Status.V
}

// account counts the request in all zones and makes it wait for the slowest
// (ngx_http_limit_req_account).
func (a *attempt) account() int {
	var slowest *limit
	var wait, excess int64 // milliseconds, thousandths
	counted := false
	for i := len(a.asked) - 1; i >= 0; i-- {
		if a.asked[i].state == nil {
			continue
		}
		counted = true
		l := &a.c.limits[i]
		z := l.rate()
		own := z.count(&a.asked[i], a.now)
		if own <= l.delay {
			continue
		}
		if t := (own - l.delay) * 1000 / z.perSecond; t > wait {
			wait, excess, slowest = t, own, l
		}
	}
	switch {
	case !counted:
		return core.Declined
	case wait == 0:
		return a.judge(passed)
	}
	level := a.c.refusal.LogLevel.V
	if level != errlog.Info {
		level++
	}
	a.r.Logf(level, "delaying request%s, excess: %s, by zone \"%s\"", a.dryRun(), thousandths(excess), slowest.zone.Name)
	if a.c.refusal.DryRun.V {
		return a.judge(delayedDryRun)
	}
	a.judge(delayed)
	if !a.r.Sleep(time.Duration(wait) * time.Millisecond) {
		return core.StatusClientClosed
	}
	return core.Declined
}

// release lets go of the states that were asked.
func (a *attempt) release() {
	for i := range a.asked {
		a.c.limits[i].rate().release(&a.asked[i])
	}
}

// thousandths writes an excess as a number of requests.
func thousandths(n int64) string { return fmt.Sprintf("%d.%03d", n/1000, n%1000) }
