package memc

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// exchange is one command, an upstream.Protocol.
type exchange struct {
	upstream.Exchange
	conf    *config
	name    string
	command *command
	key     string           // as it was sent
	length  int64            // of what is stored
	value   upstream.Trailed // of get
}

// command is what a command is made of.
type command struct {
	keyed   bool      // it is about a key
	stores  bool      // with flags, time and a value
	counts  bool      // by a value
	exptime bool      // it may have a time
	answers []pattern // besides errors; nil where the answer has lines
}

// commands are those that memc knows.
var commands = map[string]*command{
	"get":       {keyed: true},
	"set":       storage,
	"add":       storage,
	"replace":   storage,
	"append":    storage,
	"prepend":   storage,
	"delete":    {keyed: true, exptime: true, answers: []pattern{{"DELETED", lineEnds, 200}, {"NOT_FOUND", lineEnds, 404}}},
	"incr":      counting,
	"decr":      counting,
	"flush_all": {exptime: true, answers: []pattern{{"OK", lineEnds, 200}}},
	"version":   {answers: []pattern{{"VERSION ", anyText, 200}}},
	"stats":     {},
}

var (
	storage = &command{keyed: true, stores: true, answers: []pattern{
		{"STORED", lineEnds, 201}, {"NOT_STORED", lineEnds, 200}, {"EXISTS", lineEnds, 200}, {"NOT_FOUND", lineEnds, 404},
	}}
	counting = &command{keyed: true, counts: true, answers: []pattern{{"", digits, 201}, {"NOT_FOUND", lineEnds, 404}}}
)

// takeValue finds what is to be stored: $memc_value, else the request's body.
func (x *exchange) takeValue() int {
	r := x.R
	if !x.command.stores {
		return r.DiscardBody()
	}
	if v, _ := r.Indexed(x.conf.value); v != "" {
		if rc := r.ReadBody(nil); rc != core.OK {
			return rc
		}
		x.Body.Data, x.length = []byte(v), int64(len(v))
		x.Body.Frame = frame
		return core.OK
	}
	if rc := x.TakeBody(false); rc != core.OK {
		return rc
	}
	x.length = -1
	switch b := r.RequestBody(); {
	case b.File != "":
		x.length = r.ContentLength
	case b.Data != nil:
		x.length = int64(len(b.Data))
	}
	x.Body.Frame = frame
	return core.OK
}

// frame sends a value with the end of a line behind it.
func frame(b, piece []byte) []byte {
	if len(piece) == 0 {
		return append(b, '\r', '\n')
	}
	return append(b, piece...)
}

// escapeKey is how ngxtext.EscapeByType escapes a key.
const escapeKey = 5

// Create makes the line of the command.
func (x *exchange) Create() int {
	r, p, c := x.R, x.conf, x.command
	b := append(make([]byte, 0, 64), x.name...)
	if c.keyed {
		key, _ := r.Indexed(p.key)
		if key == "" {
			r.Log(errlog.Err, "the \"$memc_key\" variable is not set")
			return 500
		}
		x.key = ngxtext.EscapeByType(key, escapeKey)
		b = append(append(b, ' '), x.key...)
	}
	switch {
	case c.stores:
		return x.createStorage(b)
	case c.counts:
		v, _ := r.Indexed(p.value)
		switch {
		case v == "":
			r.Logf(errlog.Err, "the \"$memc_value\" variable is required for command \"%s\"", x.name)
			return 400
		case !isNumber(v):
			r.Logf(errlog.Err, "variable \"$memc_value\" is invalid for incr/decr: %s", v)
			return 400
		}
		b = append(append(b, ' '), v...)
	case c.exptime:
		v, rc := x.number("memc_exptime", p.exptime, "")
		if rc != core.OK {
			return rc
		}
		if v != "" {
			b = append(append(b, ' '), v...)
		}
	}
	x.Head = append(b, '\r', '\n')
	return core.OK
}

// createStorage goes on with flags, time and length.
func (x *exchange) createStorage(b []byte) int {
	p := x.conf
	if x.length < 0 {
		x.R.Log(errlog.Err, "neither the \"$memc_value\" variable nor the request body is available")
		return 500
	}
	flags, rc := x.number("memc_flags", p.flags, "0")
	if rc != core.OK {
		return rc
	}
	exptime, rc := x.number("memc_exptime", p.exptime, "0")
	if rc != core.OK {
		return rc
	}
	x.R.SetIndexed(p.flags, flags)
	x.R.SetIndexed(p.exptime, exptime)
	x.Head = fmt.Appendf(b, " %s %s %d\r\n", flags, exptime, x.length)
	return core.OK
}

// number is the value of a variable that must be a number, or what stands for none.
func (x *exchange) number(name string, index int, none string) (string, int) {
	v, _ := x.R.Indexed(index)
	switch {
	case v == "":
		return none, core.OK
	case !isNumber(v):
		x.R.Logf(errlog.Err, "variable \"$%s\" takes invalid value: %s", name, v)
		return "", 400
	}
	return v, core.OK
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
