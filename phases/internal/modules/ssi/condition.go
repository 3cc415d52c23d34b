package ssi

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// condition is if and elif (ngx_http_ssi_if).
func condition(x *run, v values) bool {
	s := x.page
	if string(s.parser.command) == "if" && s.branch != 0 {
		return x.logf("the \"if\" command inside the \"if\" command")
	}
	if s.chosen {
		s.hidden = true
		return true
	}
	yes, ok := x.holds(v["expr"])
	if !ok {
		return false
	}
	s.hidden, s.chosen, s.branch = !yes, yes, inIf
	return true
}

func otherwise(x *run, _ values) bool {
	x.page.hidden, x.page.branch = x.page.chosen, inElse
	return true
}

func endCondition(x *run, _ values) bool {
	x.page.hidden, x.page.chosen, x.page.branch = false, false, 0
	return true
}

// holds judges an expression: a text that is not empty, one that is equal to another, or
// one that matches a pattern. What stands to the left is taken in lower case.
func (x *run) holds(expr string) (yes, ok bool) {
	n := 0
	for n < len(expr) && (core.IsNameByte(expr[n]) || strings.IndexByte("${}\"'", expr[n]) >= 0) {
		n++
	}
	left, ok := x.text(ngxtext.Lower(expr[:n]))
	if !ok {
		return false, false
	}
	rest := strings.TrimLeft(expr[n:], " ")
	if rest == "" {
		return left != "", true
	}
	negative := false
	switch {
	case rest[0] == '=':
		rest = rest[1:]
	case strings.HasPrefix(rest, "!="):
		rest, negative = rest[2:], true
	default:
		return false, x.logf("invalid expression in \"%s\"", expr)
	}
	rest = strings.TrimLeft(rest, " ")
	if len(rest) > 1 && rest[0] == '/' {
		pattern, closed := strings.CutSuffix(rest[1:], "/")
		if !closed {
			return false, x.logf("invalid expression in \"%s\"", expr)
		}
		if pattern, ok = x.text(pattern); !ok {
			return false, false
		}
		yes, ok = x.matches(pattern, left)
		return yes != negative, ok
	}
	if len(rest) > 1 && strings.HasPrefix(rest, "\\/") {
		rest = rest[1:]
	}
	right, ok := x.text(rest)
	return (left == right) != negative, ok
}

// matches tries a pattern, whose groups become variables (ngx_http_ssi_regex_match).
func (x *run) matches(pattern, text string) (yes, ok bool) {
	re, err := core.Pattern(pattern, false)
	if err != nil {
		return false, x.logf("%s", err)
	}
	outer := x.r.Captures // those of the location are not touched
	x.r.Captures = nil
	rc := re.Exec(x.r, text)
	groups := x.r.Captures
	x.r.Captures = outer
	switch rc {
	case core.Error:
		return false, false
	case core.Declined:
		return false, true
	}
	shared.Of(x.r.Main).captures = groups
	for _, name := range re.Names() {
		value := ""
		if name.Group < len(groups) {
			value = groups[name.Group]
		}
		x.setVar(name.Name, value)
	}
	return true, true
}
