package ssi

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// The branches that a condition can be in.
const (
	inIf = 1 + iota
	inElse
)

// command is a row of the commands: what it may have, what it must have, and in which
// branches of a condition it may stand.
type command struct {
	params   []string
	must     []string
	branches int  // up to which; 0: anywhere
	ends     bool // a block: it is not a part of that
	run      func(x *run, v values) bool
}

// values are the parameters of a command by their names.
type values map[string]string

// has tells whether there is a parameter.
func (v values) has(name string) bool { _, ok := v[name]; return ok }

// commands are ngx_http_ssi_commands.
var commands = map[string]command{
	"include":  {params: []string{"virtual", "file", "wait", "set", "stub"}},
	"echo":     {params: []string{"var", "default", "encoding"}, must: []string{"var"}, run: echo},
	"config":   {params: []string{"errmsg", "timefmt"}, run: configure},
	"set":      {params: []string{"var", "value"}, must: []string{"var", "value"}, run: set},
	"if":       {params: []string{"expr"}, must: []string{"expr"}, run: condition},
	"elif":     {params: []string{"expr"}, must: []string{"expr"}, branches: inIf, run: condition},
	"else":     {branches: inIf, run: otherwise},
	"endif":    {branches: inElse, run: endCondition},
	"block":    {params: []string{"name"}, must: []string{"name"}, run: beginBlock},
	"endblock": {ends: true, run: endBlock},
}

// run is a piece of a body on its way.
type run struct {
	r    *core.Request
	page *page
	next core.Next
}

func (x *run) logf(format string, args ...any) bool {
	x.r.Logf(errlog.Err, format, args...)
	return false
}

// command carries out the command that has been read, and puts the message in its place
// when it fails.
func (x *run) command() int {
	s := x.page
	name := string(s.parser.command)
	cmd, known := commands[name]
	switch {
	case !known && s.hidden:
		return core.OK
	case !known:
		x.logf("invalid SSI command: \"%s\"", name)
		s.complain(x.r)
		return core.OK
	case s.hidden && !cmd.ends && s.block:
		s.copy(x.r, s.parser.source())
		return core.OK
	case s.hidden && !cmd.ends && cmd.branches == 0:
		return core.OK
	case cmd.branches != 0 && (s.branch == 0 || s.branch > cmd.branches):
		x.logf("invalid context of SSI command: \"%s\"", name)
		s.complain(x.r)
		return core.OK
	}
	v, ok := x.values(name, &cmd)
	if ok && name == "include" {
		rc, ok := x.include(v)
		if !ok {
			s.complain(x.r)
		}
		return rc
	}
	if !ok || !cmd.run(x, v) {
		s.complain(x.r)
	}
	return core.OK
}

// source is the command as text.
func (p *parser) source() []byte {
	b := append([]byte(opening), p.command...)
	for _, param := range p.params {
		b = append(append(b, ' '), param.key...)
		b = append(append(append(b, '=', '"'), param.value...), '"')
	}
	return append(b, " -->"...)
}

// values sorts the parameters of a command.
func (x *run) values(name string, cmd *command) (v values, ok bool) {
	const most = 16
	params := x.page.parser.params
	if len(params) > most {
		return nil, x.logf("too many SSI command parameters: \"%s\"", name)
	}
	v = values{}
	for _, p := range params {
		key := string(p.key)
		if slices.Contains(cmd.params, key) && v.has(key) {
			return nil, x.logf("duplicate \"%s\" parameter in \"%s\" SSI command", key, name)
		}
		if !slices.Contains(cmd.params, key) {
			return nil, x.logf("invalid parameter name: \"%s\" in \"%s\" SSI command", key, name)
		}
		v[key] = string(p.value)
	}
	for _, key := range cmd.must {
		if !v.has(key) {
			return nil, x.logf("mandatory \"%s\" parameter is absent in \"%s\" SSI command", key, name)
		}
	}
	return v, true
}

// lookup is the value of a variable: of the page's own, a capture, or one of the server's.
func (x *run) lookup(name string) (value string, ok bool) {
	q := shared.Of(x.r.Main)
	name = ngxtext.Lower(name)
	if len(name) == 1 && name[0] >= '0' && name[0] <= '9' && q.captures != nil {
		if n := int(name[0] - '0'); n < len(q.captures) {
			return q.captures[n], true
		}
		return "", true
	}
	if value, ok = q.vars[name]; ok {
		return value, true
	}
	return x.r.Var(name)
}

// setVar gives a page's variable a value.
func (x *run) setVar(name, value string) {
	q := shared.Of(x.r.Main)
	if q.vars == nil {
		q.vars = map[string]string{}
	}
	q.vars[ngxtext.Lower(name)] = value
}

// echo writes a variable (ngx_http_ssi_echo).
func echo(x *run, v values) bool {
	s := x.page
	value, ok := x.lookup(v["var"])
	if !ok {
		if value, ok = v["default"]; !ok {
			value = "(none)"
		}
	} else if value == "" {
		return true
	}
	switch enc := v["encoding"]; enc {
	case "none", "url", "entity":
		s.encoding = enc
	default:
		if v.has("encoding") {
			x.logf("unknown encoding \"%s\" in the \"echo\" command", enc)
		}
	}
	switch s.encoding {
	case "url":
		value = ngxtext.EscapeURI(value, ngxtext.EscapeText)
	case "entity":
		value = ngxtext.EscapeHTML(value)
	}
	s.out = append(s.out, value...)
	return true
}

// configure changes how dates and errors look (ngx_http_ssi_config).
func configure(x *run, v values) bool {
	if v.has("timefmt") {
		x.page.timefmt = v["timefmt"]
	}
	if v.has("errmsg") {
		x.page.errmsg = v["errmsg"]
	}
	return true
}

// set gives a variable a value (ngx_http_ssi_set).
func set(x *run, v values) bool {
	value, ok := x.text(v["value"])
	if ok {
		x.setVar(v["var"], value)
	}
	return ok
}

// text is a text with its variables (ngx_http_ssi_evaluate_string).
func (x *run) text(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\':
			if i++; i < len(s) {
				if !strings.ContainsRune("\\'\"$", rune(s[i])) {
					b.WriteByte('\\')
				}
				b.WriteByte(s[i])
				i++
			}
		case c != '$':
			b.WriteByte(c)
			i++
		default:
			name, n := variableName(s[i+1:])
			switch {
			case n < 0:
				return "", x.logf("the closing bracket in \"%s\" variable is missing", name)
			case name == "":
				return "", x.logf("invalid variable name in \"%s\"", s)
			}
			value, _ := x.lookup(name)
			b.WriteString(value)
			i += 1 + n
		}
	}
	return b.String(), true
}

// variableName reads a name behind its "$", with braces or not, and how long it is; -1 for
// braces that are not closed.
func variableName(s string) (name string, size int) {
	braces := strings.HasPrefix(s, "{")
	if braces {
		s = s[1:]
	}
	n := 0
	for n < len(s) && core.IsNameByte(s[n]) {
		n++
	}
	switch {
	case !braces, s == "":
		return s[:n], n
	case n == len(s) || s[n] != '}':
		return s[:n], -1
	}
	return s[:n], n + 2
}

// beginBlock begins a text for includes that fail (ngx_http_ssi_block).
func beginBlock(x *run, v values) bool {
	q := shared.Of(x.r.Main)
	q.blocks = append(q.blocks, block{name: v["name"]})
	x.page.hidden, x.page.chosen, x.page.block = true, true, true
	return true
}

func endBlock(x *run, _ values) bool {
	x.page.hidden, x.page.chosen, x.page.block = false, false, false
	return true
}
