package phases

import (
	"fmt"
	"strconv"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxLogLib is ngx.log.
var ngxLogLib = lib{{"log", ngxLog}}

// ngxLog is ngx.log(level, ...).
func ngxLog(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	level := th.CheckInt(args, 0)
	if level < int(LogStderr) || level > int(LogDebug) {
		th.ArgError(0, "bad log level: "+strconv.Itoa(level))
	}
	logLua(th, LogLevel(level), args[1:], 1)
	return rt.Nil, 0
}

// ngxPrintLog is the global print of server code: a line at level notice.
func ngxPrintLog(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	logLua(th, LogNotice, args, 0)
	return rt.Nil, 0
}

// logLua writes "[lua] file:line: func(): " and the arguments. skip is how many
// arguments of the call stand before args.
func logLua(th *rt.Thread, level LogLevel, args []rt.Value, skip int) {
	c := luaCtx(th)
	if !c.logEnabled(level) {
		return
	}
	b := append(make([]byte, 0, 256), "[lua] "...)
	if at, ok := th.Level(1); ok && !at.Native {
		b = append(b, rt.ShortSource(strings.Replace(at.Source, "@./", "@", 1))...)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(at.Line), 10)
		b = append(b, ": "...)
		if at.Name != "" {
			b = append(b, at.Name[strings.LastIndexAny(at.Name, ".:")+1:]...)
			b = append(b, "(): "...)
		}
	}
	for i, v := range args {
		b = appendLogText(th, b, v, i+skip)
	}
	c.log(level, string(b))
}

// appendLogText appends one argument of a log call.
func appendLogText(th *rt.Thread, b []byte, v rt.Value, i int) []byte {
	switch {
	case v.IsTable():
		if meta := v.Table().Meta(); meta == nil || meta.GetStr("__tostring").IsNil() {
			th.ArgError(i, "expected table to have __tostring metamethod")
		}
		return append(b, th.ToStringMeta(v)...)
	case v.IsLight() && v == apiOf(th).null:
		return append(b, "null"...)
	case v.IsString(), v.IsNumber(), v.IsNil(), v.IsBool():
		return appendScalar(b, v)
	}
	th.ArgError(i, "string, number, boolean, or nil expected, got "+rt.TypeName(v))
	return b
}

// appendScalar appends a string, number, boolean or nil.
func appendScalar(b []byte, v rt.Value) []byte {
	switch {
	case v.IsString():
		return append(b, v.Str()...)
	case v.IsNumber():
		if f := v.Num(); f == float64(int32(f)) && f != 0 {
			return strconv.AppendInt(b, int64(f), 10)
		}
		return append(b, rt.NumberString(v.Num())...)
	case v.IsNil():
		return append(b, "nil"...)
	}
	return strconv.AppendBool(b, v.Truthy())
}

func (c *LuaCtx) logEnabled(level LogLevel) bool {
	if c.R != nil {
		log := c.R.logger()
		return log != nil && log.Enabled(level)
	}
	log := c.Worker.Cycle.Log
	return log != nil && log.Enabled(level)
}

// log writes a line to the error log of the context.
func (c *LuaCtx) log(level LogLevel, msg string) {
	if c.R != nil {
		c.R.Log(level, msg)
		return
	}
	if log := c.Worker.Cycle.Log; log != nil && log.Enabled(level) {
		suffix := ", context: " + c.Phase.Directive()
		log.Output(level, 0, msg+suffix)
	}
}

// logf is log with a format.
func (c *LuaCtx) logf(level LogLevel, format string, args ...any) {
	if c.logEnabled(level) {
		c.log(level, fmt.Sprintf(format, args...))
	}
}
