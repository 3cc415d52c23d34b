package lua

import (
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// ngxLogLib is ngx.log.
var ngxLogLib = lib.Functions{{"log", ngxLog}}

// ngxLog is ngx.log(level, ...).
func ngxLog(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	level := th.CheckInt(args, 0)
	if level < int(errlog.Stderr) || level > int(errlog.Debug) {
		th.ArgError(0, "bad log level: "+strconv.Itoa(level))
	}
	logLua(th, errlog.Level(level), args[1:])
	return rt.Nil, 0
}

// ngxPrintLog is the global print of server code: a line at level notice.
func ngxPrintLog(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	logLua(th, errlog.Notice, args)
	return rt.Nil, 0
}

// logLua writes "[lua] file:line: func(): " and the arguments, the file without
// its folder; messages about an argument do not count the level.
func logLua(th *rt.Thread, level errlog.Level, args []rt.Value) {
	c := ctxOf(th)
	if !c.LogEnabled(level) {
		return
	}
	b := append(make([]byte, 0, 256), "[lua] "...)
	switch at, ok := th.Level(1); {
	case ok && at.Native: // called last in a function that a library function called
		b = append(b, "[C]:-1: "...)
	case ok:
		source := rt.ShortSource(at.Source)
		b = append(b, source[strings.LastIndexByte(source, '/')+1:]...)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(at.Line), 10)
		b = append(b, ": "...)
		if caller, ok := th.Level(2); at.Name != "" && ok && !caller.Native { // who is called by Go has no name
			b = append(b, at.Name[strings.LastIndexAny(at.Name, ".:")+1:]...)
			b = append(b, "(): "...)
		}
	}
	for i, v := range args {
		b = appendLogText(th, b, v, i)
	}
	c.Log(level, string(b))
}

// appendLogText appends one argument of a log call.
func appendLogText(th *rt.Thread, b []byte, v rt.Value, i int) []byte {
	switch {
	case v.IsTable():
		if meta := v.Table().Meta(); meta == nil || meta.GetStr("__tostring").IsNil() {
			th.ArgError(i, "expected table to have __tostring metamethod")
		}
		return append(b, th.ToStringMeta(v)...)
	case v == rt.LightNull:
		return append(b, "null"...)
	case v.IsString(), v.IsNumber(), v.IsNil(), v.IsBool():
		return appendScalar(b, v)
	}
	th.ArgError(i, "string, number, boolean, or nil expected, got "+rt.TypeName(v))
	return b
}

// appendScalar appends a string, number, boolean or nil. A whole number prints as
// an integer, so that -0 is 0.
func appendScalar(b []byte, v rt.Value) []byte {
	switch {
	case v.IsString():
		return append(b, v.Str()...)
	case v.IsNumber():
		if f := v.Num(); f == float64(int32(f)) {
			return strconv.AppendInt(b, int64(f), 10)
		}
		return append(b, rt.NumberString(v.Num())...)
	case v.IsNil():
		return append(b, "nil"...)
	}
	return strconv.AppendBool(b, v.Truthy())
}

// logDefect writes a Defect that a script sees as an error: pcall may hide it.
func logDefect(th *rt.Thread, d *guard.Defect) { ctxOf(th).Log(errlog.Alert, d.Error()) }
