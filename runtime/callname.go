package runtime

import (
	"strconv"
	"strings"
)

// Lua names a function in messages and tracebacks after the expression that called it: the
// same function may be "f" to one caller and "handler" to another. Generated code lists the
// calls of each function by line (Proto.Calls); what is more than one on a line is told
// apart by the name in the function's definition; the last is taken when none has that.

// callKinds are the kinds of names by the letter that stands for them in Proto.Calls.
var callKinds = map[byte]string{'l': "local", 'u': "upvalue", 'g': "global", 'f': "field", 'm': "method"}

// callSite is an entry of Proto.Calls.
type callSite struct {
	kind, name string // "" for an expression without a name
	tail       bool   // all of a return statement
}

// calls returns the list of calls of the function that runs in f.
func (f *frame) calls() string {
	switch {
	case f.chunk == nil:
		return ""
	case f.proto == nil || f.proto.Line == 0:
		return f.chunk.Calls
	}
	return f.proto.Calls
}

// callAt finds the call that f is in, for a callee that its definition calls defined.
func (f *frame) callAt(defined string) (site callSite, ok bool) {
	line := strconv.Itoa(f.line)
	list := f.calls()
	found := 0
	for list != "" {
		entry, rest, _ := strings.Cut(list, ";")
		list = rest
		text, same := strings.CutPrefix(entry, line)
		if !same || text == "" || text[0] >= '0' && text[0] <= '9' {
			continue
		}
		s := callSite{kind: callKinds[text[0]|0x20], name: text[1:], tail: text[0] >= 'A' && text[0] <= 'Z' || text[0] == '!'}
		if found++; found == 1 || site.name != defined || s.name == defined && site.tail {
			site = s
		}
	}
	return site, found > 0
}

// definedAs is the name of the function that LuaJIT would know the level by: that of one that it
// has replaced by a tail call, or its own, without what is before the last dot.
func (f *frame) definedAs() string {
	switch {
	case f.replaced != "":
		return f.replaced
	case f.chunk == nil:
		return f.native
	case f.proto == nil:
		return ""
	}
	return f.proto.Name[strings.LastIndexAny(f.proto.Name, ".:")+1:]
}

// endedByTail reports whether the call of callee is one that ends caller: a direct call of Go
// in tail position, which LuaJIT makes without a frame.
func (th *Thread) endedByTail(caller, callee *frame) bool {
	site, ok := caller.callAt(callee.definedAs())
	return ok && site.tail
}

// nameAt returns the name and the kind of name of level i; "" when there is none.
func nameAt(frames []frame, i int) (name, kind string) {
	f := &frames[i]
	switch f.via {
	case viaEvent:
		return f.event, "metamethod"
	case viaFor:
		return "(for generator)", "local"
	case viaCall:
		if i+1 < len(frames) {
			site, ok := frames[i+1].callAt(f.definedAs())
			if !ok { // code that was not generated
				return f.definedAs(), "local"
			}
			return site.name, site.kind
		}
	}
	return "", ""
}
