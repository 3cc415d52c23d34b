// Package rewrite is ngx_http_rewrite_module: set, if, rewrite, return and break.
package rewrite

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_rewrite_module. Its directives make instructions of
// the script of their level.
var Module = &core.Module{
	Name: "rewrite",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "set", In: core.InRewrite, Args: core.Take2, Set: setSet},
			{Name: "if", In: core.InServer | core.InLocation, Args: core.TakeMore1 | core.TakeBlock, Set: setIf},
			{Name: "rewrite", In: core.InRewrite, Args: core.Take2 | core.Take3, Set: setRewrite},
			{Name: "return", In: core.InRewrite, Args: core.Take12, Set: setReturn},
			{Name: "break", In: core.InRewrite, Args: core.Take0, Set: setBreak},
			{Name: "rewrite_log", In: core.InHTTP | core.InRewrite, Args: core.TakeFlag, Set: core.SetFlag(core.Loc(func(l *core.Location) *core.Opt[bool] { return &l.RewriteLog }))},
			{Name: "uninitialized_variable_warn", In: core.InHTTP | core.InRewrite, Args: core.TakeFlag, Set: core.SetFlag(core.Loc(func(l *core.Location) *core.Opt[bool] { return &l.UninitializedWarn }))},
		}
	},
	Build: func(b *core.Builder, l *core.Location) {
		switch {
		case l.Script == nil:
		case l.Kind == core.MatchServer:
			b.Handle(core.ServerRewritePhase, handler)
		default:
			b.Handle(core.RewritePhase, handler)
		}
	},
}

func handler(r *core.Request) int { return r.RunScript(r.Loc.Script) }

// setOp is `set $name value`.
type setOp struct {
	index int
	value core.Template
}

func (o *setOp) Exec(r *core.Request) int {
	r.SetIndexed(o.index, o.value.Eval(r))
	return 0
}

// breakOp is `break`.
type breakOp struct{}

func (breakOp) Exec(r *core.Request) int {
	r.URIChanged = false
	return core.StopScript
}

// returnOp is `return CODE [text]` or `return URL`.
type returnOp struct {
	status int
	text   core.Template
	bytes  []byte // the text, when it has no variables
	body   bool   // a text was given
}

func (o *returnOp) Exec(r *core.Request) int {
	if o.status < 400 || o.body {
		if rc := r.DiscardBody(); rc != core.OK { // the text may name $content_length
			r.ScriptStatus = rc
			return core.StopScript
		}
		r.Out.Status = o.status // or $status
		text := o.bytes
		if text == nil {
			text = []byte(o.text.Eval(r))
		}
		r.ScriptStatus = r.SendText(o.status, text)
	} else {
		r.ScriptStatus = o.status
	}
	return core.StopScript
}

// ifOp jumps over its block when the condition is false; for a location's if
// it makes the block's configuration current when it is true.
type ifOp struct {
	cond condition
	skip int            // instructions of the block
	loc  *core.Location // nil at the server level
}

func (o *ifOp) Exec(r *core.Request) int {
	switch o.cond.test(r) {
	case core.Declined:
		return o.skip
	case core.Error:
		r.ScriptStatus = 500
		return core.StopScript
	}
	if o.loc != nil {
		r.Loc = o.loc
		r.UpdateLocation()
	}
	return 0
}

// condition is the test of an if.
type condition struct {
	kind   condKind
	negate bool
	left   core.Template
	right  core.Template
	re     *core.Regex
}

type condKind uint8

const (
	condVar condKind = iota
	condEqual
	condRegex
	condFile
	condDir
	condExists
	condExec
)

// test answers OK when the condition holds, Declined when not, and Error when
// its regex could not tell.
func (c *condition) test(r *core.Request) int {
	value := c.left.Eval(r)
	var ok bool
	switch c.kind {
	case condVar:
		ok = value != "" && value != "0"
	case condEqual:
		ok = value == c.right.Eval(r)
	case condRegex:
		rc := rewriteMatch(r, c.re, value)
		if rc == core.Error {
			return core.Error
		}
		ok = rc == core.OK
	default:
		ok = c.fileTest(r, value)
	}
	if ok != c.negate {
		return core.OK
	}
	return core.Declined
}

// rewriteMatch matches a regex of a script; without a match there are no captures.
func rewriteMatch(r *core.Request, re *core.Regex, text string) int {
	rc := re.Exec(r, text)
	if rc == core.Declined {
		r.Captures = r.Captures[:0]
	}
	if r.ScriptLog && rc != core.Error {
		verb := "matches"
		if rc == core.Declined {
			verb = "does not match"
		}
		r.Logf(errlog.Notice, "\"%s\" %s \"%s\"", re.Text, verb, text)
	}
	return rc
}

func (c *condition) fileTest(r *core.Request, path string) bool {
	info, err := r.Stat(path)
	if err != nil {
		return false
	}
	switch c.kind {
	case condFile:
		return info.Mode().IsRegular()
	case condDir:
		return info.IsDir()
	case condExec:
		return info.Mode()&0o111 != 0
	}
	return true
}

// rewriteOp is `rewrite REGEX REPLACEMENT [flag]`.
type rewriteOp struct {
	re       *core.Regex
	uri      core.Template // replacement up to "?"
	args     core.Template // behind it
	hasArgs  bool
	addArgs  bool // the request's arguments are kept
	redirect int  // 301 or 302; 0: internal
	last     bool // stop the script
	isBreak  bool
}

func (o *rewriteOp) Exec(r *core.Request) int {
	switch rewriteMatch(r, o.re, r.URI) {
	case core.Declined:
		return 0
	case core.Error:
		r.ScriptStatus = 500
		return core.StopScript
	}
	r.Internal = true
	r.ValidUnparsedURI = false
	if o.redirect == 0 {
		if o.isBreak {
			r.ValidLocation = false
			r.URIChanged = false
		} else {
			r.URIChanged = true
		}
	}
	escape := r.QuotedURI()
	uri := o.uri.EvalEscaped(r, escape && o.redirect != 0)
	args := o.args.EvalEscaped(r, escape)
	if o.redirect != 0 {
		r.ScriptStatus = rewriteRedirect(r, o, uri, args)
		return core.StopScript
	}
	_, had := r.Query()
	switch {
	case o.hasArgs:
		if o.addArgs && r.Args != "" {
			args += "&" + r.Args
		}
		r.Args, r.EmptyArgs = args, true
	case !o.addArgs:
		r.Args, r.EmptyArgs = "", had
	}
	if r.ScriptLog {
		r.Logf(errlog.Notice, "rewritten data: \"%s\", args: \"%s\"", uri, r.Args)
	}
	if uri == "" {
		r.Log(errlog.Err, "the rewritten URI has a zero length")
		r.ScriptStatus = 500
		return core.StopScript
	}
	r.URI = uri
	if o.last {
		return core.StopScript
	}
	return 0
}

// rewriteRedirect answers a rewrite whose replacement is for the client.
func rewriteRedirect(r *core.Request, o *rewriteOp, uri, args string) int {
	target := unescapeRedirect(uri)
	if o.hasArgs {
		target += "?" + args
	}
	if o.addArgs && r.Args != "" {
		sep := "?"
		if o.hasArgs {
			sep = "&"
		}
		target += sep + r.Args
	}
	if r.ScriptLog {
		r.Logf(errlog.Notice, "rewritten redirect: \"%s\"", target)
	}
	r.Out.SetLocation(target)
	return o.redirect
}

// unescapeRedirect decodes the escapes of a redirect target up to its "?", but
// keeps those whose decoding would be changed in meaning: it decodes printable
// characters other than "%" (NGX_UNESCAPE_REDIRECT).
func unescapeRedirect(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '?' {
			b.WriteString(s[i:])
			break
		}
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				if n > '%' && n < 0x7f {
					b.WriteByte(byte(n))
				} else {
					b.WriteString(s[i : i+3])
				}
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func setSet(c *core.Compiler, d *conf.Directive) error {
	name, err := core.VariableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.DefineVar(name)
	if err != nil {
		return err
	}
	value, err := c.Template(d.Args[1])
	if err != nil {
		return err
	}
	c.Emit(&setOp{index: v.Index, value: value})
	return nil
}

func setBreak(c *core.Compiler, _ *conf.Directive) error {
	c.Emit(breakOp{})
	return nil
}

func setReturn(c *core.Compiler, d *conf.Directive) error {
	op := &returnOp{}
	code, isCode := ngxtext.ParseDecimal(d.Args[0])
	textArg := ""
	switch {
	case !isCode:
		if len(d.Args) == 1 && (strings.HasPrefix(d.Args[0], "http://") || strings.HasPrefix(d.Args[0], "https://") || strings.HasPrefix(d.Args[0], "$scheme")) {
			op.status, textArg = 302, d.Args[0]
			op.body = true
			break
		}
		return fmt.Errorf("invalid return code \"%s\"", d.Args[0])
	case code > 999:
		return fmt.Errorf("invalid return code \"%s\"", d.Args[0])
	default:
		op.status = int(code)
		if len(d.Args) == 2 {
			textArg, op.body = d.Args[1], d.Args[1] != ""
		}
	}
	var err error
	op.text, err = c.Template(textArg)
	if op.text.IsStatic() {
		op.bytes = []byte(textArg)
	}
	c.Emit(op)
	return err
}

func setRewrite(c *core.Compiler, d *conf.Directive) error {
	re, err := c.Regex(d.Args[0], false)
	if err != nil {
		return err
	}
	target := d.Args[1]
	if target == "" {
		return errors.New("empty replacement")
	}
	op := &rewriteOp{re: re, addArgs: true}
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "$scheme") {
		op.redirect, op.last = 302, true
	}
	if len(d.Args) == 3 {
		switch d.Args[2] {
		case "last":
			op.last = true
		case "break":
			op.last, op.isBreak = true, true
		case "redirect":
			op.redirect, op.last = 302, true
		case "permanent":
			op.redirect, op.last = 301, true
		default:
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[2])
		}
	}
	if strings.HasSuffix(target, "?") {
		target = target[:len(target)-1]
		op.addArgs = false
	}
	uri, args, found := strings.Cut(target, "?")
	op.hasArgs = found
	if op.uri, err = c.Template(uri); err != nil {
		return err
	}
	if op.args, err = c.Template(args); err != nil {
		return err
	}
	c.Emit(op)
	return nil
}

func setIf(c *core.Compiler, d *conf.Directive) error {
	cond, err := readCondition(c, d.Args)
	if err != nil {
		return err
	}
	op := &ifOp{cond: cond}
	at := len(*c.Script)
	c.Emit(op)
	lv := core.InServerIf
	var inner *core.Location
	if c.Level == core.InLocation {
		lv = core.InLocationIf
		inner = c.NewLevel(core.Location{Kind: core.MatchIf, Name: c.Loc.Name, Outer: c.Loc, Server: c.Srv})
		inner.Handler = nil
		op.loc = inner
		c.Loc.Ifs = append(c.Loc.Ifs, inner)
	}
	err = c.Within(lv, d, func() {
		if inner != nil {
			c.Loc = inner
		}
	})
	op.skip = len(*c.Script) - at - 1
	return err
}

// readCondition reads the words between the parentheses of an if.
func readCondition(c *core.Compiler, words []string) (cond condition, err error) {
	invalid := func(w string) error { return fmt.Errorf("invalid condition \"%s\"", w) }
	args := append([]string(nil), words...)
	if args[0] == "" || args[0][0] != '(' {
		return cond, invalid(args[0])
	}
	if args[0] == "(" {
		args = args[1:]
	} else {
		args[0] = args[0][1:]
	}
	if len(args) == 0 {
		return cond, invalid(words[len(words)-1])
	}
	if !strings.HasSuffix(args[len(args)-1], ")") {
		return cond, invalid(args[len(args)-1])
	}
	if last := len(args) - 1; args[last] == ")" {
		args = args[:last]
	} else {
		args[last] = args[last][:len(args[last])-1]
	}
	if len(args) == 0 || len(args[0]) == 0 {
		return cond, invalid("")
	}
	first := args[0]
	if first[0] == '$' && len(first) > 1 {
		return variableCondition(c, args)
	}
	kinds := map[string]condKind{"f": condFile, "d": condDir, "e": condExists, "x": condExec}
	op := strings.TrimPrefix(first, "!")
	if kind, ok := kinds[strings.TrimPrefix(op, "-")]; ok && strings.HasPrefix(op, "-") {
		if len(args) != 2 {
			return cond, invalid(args[len(args)-1])
		}
		cond.kind, cond.negate = kind, first[0] == '!'
		cond.left, err = c.Template(args[1])
		return cond, err
	}
	return cond, invalid(first)
}

func variableCondition(c *core.Compiler, args []string) (cond condition, err error) {
	if cond.left, err = c.Template("${" + args[0][1:] + "}"); err != nil {
		return cond, err
	}
	if len(args) == 1 {
		return cond, nil
	}
	op := args[1]
	if len(args) != 3 {
		return cond, fmt.Errorf("invalid condition \"%s\"", args[0])
	}
	cond.negate = op[0] == '!'
	switch op {
	case "=", "!=":
		cond.kind = condEqual
		cond.right, err = c.Template(args[2])
	case "~", "!~", "~*", "!~*":
		cond.kind = condRegex
		cond.re, err = c.Regex(args[2], strings.HasSuffix(op, "*"))
	default:
		err = fmt.Errorf("unexpected \"%s\" in condition", op)
	}
	return cond, err
}
