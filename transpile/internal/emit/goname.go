package emit

import (
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// goNames is what the Go compiler calls the functions of a file in stack traces: a
// function literal is numbered in the declared function around it ("Main.func2"), or in the
// literal around it ("Main.func2.1"), in the order of the text.
type goNames map[*ir.Func]*goName

type goName struct {
	name     string
	literal  bool
	literals int // inside, so far
}

// declare names a function of the file.
func (n goNames) declare(f *ir.Func) { n[f] = &goName{name: f.Name} }

// literal names the next function literal of outer.
func (n goNames) literal(f, outer *ir.Func) {
	g := n[outer].inner()
	if f.OwnEnv { // inside of the literal that makes it
		g = g.inner()
	}
	n[f] = g
}

func (g *goName) inner() *goName {
	g.literals++
	sep := ".func"
	if g.literal {
		sep = "."
	}
	return &goName{name: g.name + sep + strconv.Itoa(g.literals), literal: true}
}

// byProto returns the functions that were printed.
func (n goNames) byProto() map[*ir.Proto]*ir.Func {
	m := make(map[*ir.Proto]*ir.Func, len(n))
	for f := range n {
		m[f.Proto] = f
	}
	return m
}

// callees lists what a function calls, as rt.Proto's Calls has it.
func callees(f *ir.Func) string {
	var b strings.Builder
	for _, c := range f.Callees {
		kind, name, _ := strings.Cut(c.Where, " ")
		if strings.Contains(name, ";") {
			kind, name = "", ""
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(strconv.Itoa(c.Line))
		if kind == "" {
			kind = "?"
		}
		kind = kind[:1]
		if c.Tail {
			kind = strings.ToUpper(kind)
		}
		if c.Tail && kind == "?" {
			kind = "!"
		}
		b.WriteString(kind + name)
	}
	return b.String()
}
