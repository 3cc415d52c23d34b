package runtime

import (
	"fmt"
	"math"
	"slices"
)

// This file has the argument checks of library functions. i counts from 0; messages
// count from 1 and, in method calls, leave the object out.

// ArgError raises "bad argument #i to 'f' (message)".
func (th *Thread) ArgError(i int, message string) {
	frames := th.frames(2)
	name, kind, position := "", "", ""
	if len(frames) > 0 && frames[0].chunk != nil { // the compiler replaced the library's function
		position = th.position(&frames[0])
	} else if len(frames) > 1 && frames[1].chunk != nil {
		position = th.position(&frames[1])
		name, kind = nameAt(frames, 0)
	}
	if name == "" {
		name = "?"
	}
	if kind == "method" {
		if i--; i < 0 {
			th.Throw(String(fmt.Sprintf("%scalling '%s' on bad self (%s)", position, name, message)))
		}
	}
	th.Throw(String(fmt.Sprintf("%sbad argument #%d to '%s' (%s)", position, i+1, name, message)))
}

// ArgTypeError raises "bad argument #i to 'f' (want expected, got ...)".
func (th *Thread) ArgTypeError(args []Value, i int, want string) {
	got := "no value"
	if i < len(args) {
		got = TypeName(args[i])
	}
	th.ArgError(i, want+" expected, got "+got)
}

// ArgAt returns args[i], nil when it is absent.
func ArgAt(args []Value, i int) Value {
	if i < len(args) {
		return args[i]
	}
	return Nil
}

// CheckAny returns argument i, which must be there.
func (th *Thread) CheckAny(args []Value, i int) Value {
	if i >= len(args) {
		th.ArgError(i, "value expected")
	}
	return args[i]
}

// CheckTable returns argument i, which must be a table.
func (th *Thread) CheckTable(args []Value, i int) *Table {
	if i >= len(args) || args[i].n != tagTable {
		th.ArgTypeError(args, i, "table")
	}
	return args[i].Table()
}

// CheckFunction returns argument i, which must be a function.
func (th *Thread) CheckFunction(args []Value, i int) Value {
	if i >= len(args) || args[i].n != tagFunction {
		th.ArgTypeError(args, i, "function")
	}
	return args[i]
}

// CheckString returns argument i, a string or a number.
func (th *Thread) CheckString(args []Value, i int) string {
	if i < len(args) {
		if args[i].IsString() {
			return args[i].Str()
		}
		if args[i].n >= numberMin {
			return NumberString(args[i].Num())
		}
	}
	th.ArgTypeError(args, i, "string")
	return ""
}

// CheckNumber returns argument i, a number or a string that reads as one.
func (th *Thread) CheckNumber(args []Value, i int) float64 {
	if i < len(args) {
		if args[i].n >= numberMin {
			return args[i].Num()
		}
		if f, ok := toNumber(args[i]); ok {
			return f
		}
	}
	th.ArgTypeError(args, i, "number")
	return 0
}

// CheckInt returns argument i, a number cut to a whole one. What does not fit 32
// bits gives the smallest such number, as in LuaJIT on x86.
func (th *Thread) CheckInt(args []Value, i int) int {
	f := th.CheckNumber(args, i)
	if f > math.MinInt32-1 && f < math.MaxInt32+1 {
		return int(f)
	}
	return math.MinInt32
}

// floatInt cuts a float to an int; NaN and what does not fit give the smallest int,
// as the x86 conversion does.
func floatInt(f float64) int {
	if f >= -1<<63 && f < 1<<63 {
		return int(f)
	}
	return math.MinInt
}

// isAbsent reports whether argument i is absent or nil.
func isAbsent(args []Value, i int) bool { return i >= len(args) || args[i].n == tagNil }

// OptString is CheckString with a default for an absent argument.
func (th *Thread) OptString(args []Value, i int, def string) string {
	if isAbsent(args, i) {
		return def
	}
	return th.CheckString(args, i)
}

// checkOption returns argument i, one of options; def when it is absent.
func (th *Thread) checkOption(args []Value, i int, def string, options []string) string {
	name := th.OptString(args, i, def)
	if !slices.Contains(options, name) {
		th.ArgError(i, "invalid option '"+name+"'")
	}
	return name
}

// OptNumber is CheckNumber with a default for an absent argument.
func (th *Thread) OptNumber(args []Value, i int, def float64) float64 {
	if isAbsent(args, i) {
		return def
	}
	return th.CheckNumber(args, i)
}

// OptInt is CheckInt with a default for an absent argument.
func (th *Thread) OptInt(args []Value, i, def int) int {
	if isAbsent(args, i) {
		return def
	}
	return th.CheckInt(args, i)
}
