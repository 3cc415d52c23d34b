package phases

import (
	"strconv"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
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
		r.Logf(errlog.Err, "invalid size \"%s\"", text)
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
		r.Logf(errlog.Err, "invalid $limit_rate \"%s\"", value)
		return
	}
	r.setRate(n)
}
