package lua

import (
	"math"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxTime is the clock. nginx remembers the time of the last turn of its event
// loop; there is no loop here, so the clock is read each time, to the millisecond,
// and ngx.update_time has nothing to do.
var ngxTime = lib.Functions{
	{"now", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(nowMillis()) / 1000), 1
	}},
	{"time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(time.Now().Unix())), 1
	}},
	{"update_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return rt.Nil, 0 }},
	{"today", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(time.Now().Format(time.DateOnly)), 1
	}},
	{"localtime", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(time.Now().Format(time.DateTime)), 1
	}},
	{"utctime", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(time.Now().UTC().Format(time.DateTime)), 1
	}},
	{"http_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(ngxtext.FormatHTTPTime(max(secondsArgument(th, args), 0))), 1
	}},
	{"cookie_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(ngxtext.CookieTime(secondsArgument(th, args))), 1
	}},
	{"parse_http_time", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		v := rt.ArgAt(args, 0)
		if !v.IsString() {
			th.Errorf("string argument only")
		}
		sec, ok := ngxtext.ParseHTTPTime(v.Str())
		if !ok {
			return rt.Nil, 1
		}
		return rt.Number(float64(sec)), 1
	}},
}

// nowMillis is the time in milliseconds of the Unix epoch.
func nowMillis() int64 { return time.Now().UnixMilli() }

func secondsArgument(th *rt.Thread, args []rt.Value) int64 {
	v := rt.ArgAt(args, 0)
	if !v.IsNumber() {
		th.Errorf("number argument only")
	}
	return int64(math.Trunc(v.Num()))
}
