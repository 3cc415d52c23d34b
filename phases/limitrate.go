package phases

import (
	"strconv"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// setSizeTemplate stores a size that may have variables
// (ngx_http_set_complex_value_size_slot).
func setSizeTemplate(field func(c *compiler) *opt[template]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		t, err := c.template(d.Args[0])
		if err != nil {
			return err
		}
		if _, ok := parseSize(t.lit, false); t.isStatic() && !ok {
			return errInvalidValue
		}
		return f.put(t)
	}
}

// noSize is a size of zero, noRate the template of it.
const noSize = "0"

var noRate = template{lit: noSize}

// sizeOf is the value of a size, 0 when it is none.
func (r *Request) sizeOf(t *template) int64 {
	text := t.eval(r)
	n, ok := parseSize(text, false)
	if !ok {
		r.Logf(LogErr, "invalid size \"%s\"", text)
	}
	return n
}

// startRate tells the connection how fast the response may go out: as $limit_rate
// was set, else as limit_rate says (ngx_http_write_filter).
func (r *Request) startRate() {
	l := r.Loc
	if !r.rateSet && l.limitRate.v.parts == nil && l.limitRate.v.lit == noSize {
		return
	}
	if !r.rateSet {
		r.rate, r.rateSet = r.sizeOf(&l.limitRate.v), true
	}
	if r.rate > 0 {
		r.Conn.SetRate(r.rate, r.sizeOf(&l.limitRateAfter.v), r.Start)
	}
}

// setRate is what $limit_rate and X-Accel-Limit-Rate set: bytes a second, 0 for no
// limit.
func (r *Request) setRate(perSecond int64) {
	r.rate, r.rateSet = perSecond, true
	if r == r.Main && r.HeadersSent {
		r.Conn.SetRate(perSecond, r.sizeOf(&r.Loc.limitRateAfter.v), r.Start)
	}
}

func limitRateVar(r *Request) string {
	if !r.rateSet {
		r.rate, r.rateSet = r.sizeOf(&r.Loc.limitRate.v), true
	}
	return strconv.FormatInt(r.rate, 10)
}

// setLimitRateVar is `set $limit_rate` (ngx_http_variable_set_limit_rate).
func setLimitRateVar(r *Request, value string, _ bool) {
	n, ok := parseSize(value, false)
	if !ok {
		r.Logf(LogErr, "invalid $limit_rate \"%s\"", value)
		return
	}
	r.setRate(n)
}

// rateLimit paces an output. nginx counts whole seconds since the request began,
// the first one included.
type rateLimit struct {
	perSecond int64 // bytes; 0: no limit
	after     int64 // bytes that go out before
	start     int64 // Unix seconds
	notBefore time.Time
}

// SetRate implements Downstream.
func (o *output) SetRate(perSecond, after int64, start time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rate.perSecond, o.rate.after, o.rate.start = perSecond, after, start.Unix()
}

// allow is how many bytes may be sent now when sent have been, or else how long to
// wait.
func (l *rateLimit) allow(sent int64, now time.Time) (n int64, wait time.Duration) {
	if wait := l.notBefore.Sub(now); wait > 0 {
		return 0, wait
	}
	n = l.perSecond*(now.Unix()-l.start+1) - (sent - l.after)
	if n <= 0 {
		return 0, time.Duration(-n*1000/l.perSecond+1) * time.Millisecond
	}
	return n, 0
}

// note is told that a write takes the bytes sent from before to after.
func (l *rateLimit) note(before, after int64, now time.Time) {
	n := max(after-l.after, 0) - max(before-l.after, 0)
	l.notBefore = now.Add(time.Duration(n*1000/l.perSecond) * time.Millisecond)
}
