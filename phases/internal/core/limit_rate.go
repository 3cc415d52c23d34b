package core

import (
	"strconv"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// SetSizeTemplate stores a size that may have variables
// (ngx_http_set_complex_value_size_slot).
func SetSizeTemplate(field func(c *Compiler) *Opt[Template]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		t, err := c.Template(d.Args[0])
		if err != nil {
			return err
		}
		if _, ok := ngxtext.ParseSize(t.Lit, false); t.IsStatic() && !ok {
			return ErrInvalidValue
		}
		return f.Put(t)
	}
}

// noSize is a size of zero, noRate the template of it.
const noSize = "0"

var noRate = Template{Lit: noSize}

// SizeOf is the value of a size, 0 when it is none.
func (r *Request) SizeOf(t *Template) int64 {
	text := t.Eval(r)
	n, ok := ngxtext.ParseSize(text, false)
	if !ok {
		r.Logf(errlog.Err, "invalid size \"%s\"", text)
	}
	return n
}

// startRate tells the connection how fast the response may go out: as $limit_rate
// was set, else as limit_rate says (ngx_http_write_filter).
func (r *Request) startRate() {
	l := r.Loc
	if !r.rateSet && l.limitRate.V.Parts == nil && l.limitRate.V.Lit == noSize {
		return
	}
	if !r.rateSet {
		r.rate, r.rateSet = r.SizeOf(&l.limitRate.V), true
	}
	if r.rate > 0 {
		r.Conn.SetRate(r.rate, r.SizeOf(&l.limitRateAfter.V), r.Start)
	}
}

// SetRate is what $limit_rate and X-Accel-Limit-Rate set: bytes a second, 0 for no
// limit.
func (r *Request) SetRate(perSecond int64) {
	r.rate, r.rateSet = perSecond, true
	if r == r.Main && r.HeadersSent {
		r.Conn.SetRate(perSecond, r.SizeOf(&r.Loc.limitRateAfter.V), r.Start)
	}
}

// limitRateVar is $limit_rate: what it was set to, and when the answer goes out, what
// limit_rate said.
func limitRateVar(r *Request) string { return strconv.FormatInt(r.rate, 10) }

// setLimitRateVar is `set $limit_rate` (ngx_http_variable_set_limit_rate).
func setLimitRateVar(r *Request, value string, _ bool) {
	n, ok := ngxtext.ParseSize(value, false)
	if !ok {
		r.Logf(errlog.Err, "invalid $limit_rate \"%s\"", value)
		return
	}
	r.SetRate(n)
}
