package vet

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// checkText finds what is wrong with a piece of text by itself.
func (p *program) checkText() {
	ast.Walk(p.unit.Tree.Main.Body, func(n any) bool {
		switch n := n.(type) {
		case *ast.Table:
			p.doubleKeys(n)
		case *ast.NumForStmt:
			p.downwards(n)
		case *ast.Binary:
			p.negatedOperand(n)
		case *ast.Call:
			p.formatArgs(n)
		case *ast.LocalStmt:
			p.extraValues(len(n.Locals), n.Exprs)
		case *ast.AssignStmt:
			p.extraValues(len(n.Targets), n.Exprs)
		case *ast.IfStmt:
			for _, c := range n.Clauses {
				p.alwaysTrue(c.Cond)
			}
		case *ast.WhileStmt:
			p.alwaysTrue(n.Cond)
		case *ast.Unary:
			if n.Op == "not" {
				p.alwaysTrue(n.X)
			}
		case *ast.Logical:
			p.alwaysTrue(n.L)
		}
		return true
	})
}

// constant is a key or value that can be compared by its text.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.StringExpr:
		return fmt.Sprintf("%q", e.Value), true
	case *ast.NumberExpr:
		return fmt.Sprint(e.Value, e.Bits, e.Suffix), e.Suffix == ""
	case *ast.TrueExpr:
		return "true", true
	case *ast.FalseExpr:
		return "false", true
	}
	return "", false
}

func (p *program) doubleKeys(t *ast.Table) {
	first := map[string]ast.Pos{}
	for _, f := range t.Fields {
		if f.Key == nil {
			continue
		}
		key, ok := constant(f.Key)
		if !ok {
			continue
		}
		if pos, ok := first[key]; ok {
			d := p.warn(diag.DoubleKey, f.Key.ExprPos(), 0, "", "key %s is given twice: only the last value stays", keyText(f.Key))
			p.unit.note(d, pos, "the first one is here")
			continue
		}
		first[key] = f.Key.ExprPos()
	}
}

func keyText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StringExpr:
		return fmt.Sprintf("'%s'", e.Value)
	case *ast.NumberExpr:
		return fmt.Sprintf("%v", e.Value)
	}
	text, _ := constant(e)
	return text
}

// downwards finds `for i = #t, 1 do`, which runs once at most.
func (p *program) downwards(s *ast.NumForStmt) {
	length, ok := s.Start.(*ast.Unary)
	if !ok || length.Op != "#" || s.Step != nil {
		return
	}
	if stop, ok := s.Stop.(*ast.NumberExpr); ok && stop.Value <= 1 {
		p.warn(diag.Downwards, s.Start.ExprPos(), 1, "add the step: `for i = #t, 1, -1 do`",
			"loop from a length to %v counts upwards", stop.Value)
	}
}

// negatedOperand finds `not a == b`, which is `(not a) == b`.
func (p *program) negatedOperand(b *ast.Binary) {
	not, ok := b.L.(*ast.Unary)
	if !ok || not.Op != "not" || not.Pos != b.Pos {
		return // also with parentheses: they start before the `not`
	}
	switch b.Op {
	case "==", "~=", "<", ">", "<=", ">=":
	default:
		return
	}
	switch r := b.R.(type) {
	case *ast.TrueExpr, *ast.FalseExpr:
		return
	case *ast.Unary:
		if r.Op == "not" {
			return // `not a == not b` compares two booleans
		}
	}
	p.warn(diag.NegatedOperand, not.Pos, 3, fmt.Sprintf("write `not (a %s b)`", b.Op),
		"`not` applies to the left side only, before `%s`", b.Op)
}

// alwaysTrue finds conditions that are a value no condition fails for.
func (p *program) alwaysTrue(e ast.Expr) {
	switch x := e.(type) {
	case *ast.Unary:
		if x.Op == "#" {
			p.warn(diag.AlwaysTrue, x.Pos, 1, "compare it: `#t > 0`", "a length is always true, even 0")
		}
	case *ast.Table:
		p.warn(diag.AlwaysTrue, x.Pos, 1, "", "a table is always true")
	}
}

// extraValues finds values that nothing takes.
func (p *program) extraValues(targets int, values []ast.Expr) {
	if len(values) <= targets {
		return
	}
	for _, v := range values[targets:] {
		switch v.(type) {
		case *ast.Call, *ast.Index, *ast.Binary, *ast.VarargExpr:
			return // evaluated for what it does, perhaps
		}
	}
	p.warn(diag.ExtraValues, values[targets].ExprPos(), 0, "", "%d values for %d %s: the rest is dropped",
		len(values), targets, plural(targets, "name"))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// formatArgs counts the arguments of string.format with a constant format.
func (p *program) formatArgs(c *ast.Call) {
	args := c.Args
	var format ast.Expr
	switch {
	case c.Fn != nil && ast.GlobalPath(c.Fn) == "string.format" && len(args) > 0:
		format, args = args[0], args[1:]
	case c.Obj != nil && c.Method == "format":
		format = c.Obj
	default:
		return
	}
	s, ok := format.(*ast.StringExpr)
	if !ok || len(args) > 0 && ast.IsOpen(args[len(args)-1]) {
		return
	}
	if want := verbs(s.Value); want > len(args) {
		p.warn(diag.FormatArgs, s.Pos, 0, "", "the format has %d %s and gets %d %s",
			want, plural(want, "directive"), len(args), plural(len(args), "argument"))
	}
}

// verbs counts the directives of a format.
func verbs(format string) int {
	n := 0
	for i := strings.IndexByte(format, '%'); i >= 0 && i+1 < len(format); {
		if format[i+1] != '%' {
			n++
		}
		next := strings.IndexByte(format[i+2:], '%')
		if next < 0 {
			break
		}
		i += 2 + next
	}
	return n
}
