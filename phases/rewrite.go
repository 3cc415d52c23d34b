package phases

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// rewriteModule is ngx_http_rewrite_module. Its directives make instructions of
// the script of their level.
var rewriteModule = &Module{
	name: "rewrite",
	directives: func() []directive {
		return []directive{
			{"set", inRewrite, take2, setSet},
			{"if", inServer | inLocation, takeMore1 | takeBlock, setIf},
			{"rewrite", inRewrite, take2 | take3, setRewrite},
			{"return", inRewrite, take12, setReturn},
			{"break", inRewrite, take0, setBreak},
			{"rewrite_log", inHTTP | inRewrite, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.rewriteLog }))},
			{"uninitialized_variable_warn", inHTTP | inRewrite, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.uninitializedWarn }))},
		}
	},
	build: func(b *builder, l *Location) {
		switch {
		case l.script == nil:
		case l.kind == matchServer:
			b.handle(stepServerRewrite, rewriteHandler)
		default:
			b.handle(stepRewrite, rewriteHandler)
		}
	},
}

func rewriteHandler(r *Request) int { return r.runScript(r.Loc.script) }

// setOp is `set $name value`.
type setOp struct {
	index int
	value template
}

func (o *setOp) exec(r *Request) int {
	r.setIndexed(o.index, o.value.eval(r))
	return 0
}

// breakOp is `break`.
type breakOp struct{}

func (breakOp) exec(r *Request) int {
	r.URIChanged = false
	return stopScript
}

// returnOp is `return CODE [text]` or `return URL`.
type returnOp struct {
	status int
	text   template
	bytes  []byte // the text, when it has no variables
	body   bool   // a text was given
}

func (o *returnOp) exec(r *Request) int {
	if o.status < 400 || o.body {
		r.Out.Status = o.status // the text may name $status
		text := o.bytes
		if text == nil {
			text = []byte(o.text.eval(r))
		}
		r.scriptStatus = r.sendText(o.status, text)
	} else {
		r.scriptStatus = o.status
	}
	return stopScript
}

// ifOp jumps over its block when the condition is false; for a location's if
// it makes the block's configuration current when it is true.
type ifOp struct {
	cond condition
	skip int       // instructions of the block
	loc  *Location // nil at the server level
}

func (o *ifOp) exec(r *Request) int {
	switch o.cond.test(r) {
	case rcDeclined:
		return o.skip
	case rcError:
		r.scriptStatus = 500
		return stopScript
	}
	if o.loc != nil {
		r.Loc = o.loc
		r.updateLocation()
	}
	return 0
}

// condition is the test of an if.
type condition struct {
	kind   condKind
	negate bool
	left   template
	right  template
	re     *confRegex
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

// test answers rcOK when the condition holds, rcDeclined when not, and rcError when
// its regex could not tell.
func (c *condition) test(r *Request) int {
	value := c.left.eval(r)
	var ok bool
	switch c.kind {
	case condVar:
		ok = value != "" && value != "0"
	case condEqual:
		ok = value == c.right.eval(r)
	case condRegex:
		rc := rewriteMatch(r, c.re, value)
		if rc == rcError {
			return rcError
		}
		ok = rc == rcOK
	default:
		ok = c.fileTest(r, value)
	}
	if ok != c.negate {
		return rcOK
	}
	return rcDeclined
}

// rewriteMatch matches a regex of a script; without a match there are no captures.
func rewriteMatch(r *Request, re *confRegex, text string) int {
	rc := re.exec(r, text)
	if rc == rcDeclined {
		r.Captures = r.Captures[:0]
	}
	if r.scriptLog && rc != rcError {
		verb := "matches"
		if rc == rcDeclined {
			verb = "does not match"
		}
		r.Logf(errlog.Notice, "\"%s\" %s \"%s\"", re.text, verb, text)
	}
	return rc
}

func (c *condition) fileTest(r *Request, path string) bool {
	info, err := r.stat(path)
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
	re       *confRegex
	uri      template // replacement up to "?"
	args     template // behind it
	hasArgs  bool
	addArgs  bool // the request's arguments are kept
	redirect int  // 301 or 302; 0: internal
	last     bool // stop the script
	isBreak  bool
}

func (o *rewriteOp) exec(r *Request) int {
	switch rewriteMatch(r, o.re, r.URI) {
	case rcDeclined:
		return 0
	case rcError:
		r.scriptStatus = 500
		return stopScript
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
	escape := r.quotedURI()
	uri := o.uri.evalEscaped(r, escape && o.redirect != 0)
	args := o.args.evalEscaped(r, escape)
	if o.redirect != 0 {
		r.scriptStatus = rewriteRedirect(r, o, uri, args)
		return stopScript
	}
	_, had := r.args()
	switch {
	case o.hasArgs:
		if o.addArgs && r.Args != "" {
			args += "&" + r.Args
		}
		r.Args, r.emptyArgs = args, true
	case !o.addArgs:
		r.Args, r.emptyArgs = "", had
	}
	if r.scriptLog {
		r.Logf(errlog.Notice, "rewritten data: \"%s\", args: \"%s\"", uri, r.Args)
	}
	if uri == "" {
		r.Log(errlog.Err, "the rewritten URI has a zero length")
		r.scriptStatus = 500
		return stopScript
	}
	r.URI = uri
	if o.last {
		return stopScript
	}
	return 0
}

// rewriteRedirect answers a rewrite whose replacement is for the client.
func rewriteRedirect(r *Request, o *rewriteOp, uri, args string) int {
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
	if r.scriptLog {
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

func setSet(c *compiler, d *conf.Directive) error {
	name, err := variableName(d.Args[0])
	if err != nil {
		return err
	}
	v, err := c.defineVar(name)
	if err != nil {
		return err
	}
	value, err := c.template(d.Args[1])
	if err != nil {
		return err
	}
	c.emit(&setOp{index: v.index, value: value})
	return nil
}

func setBreak(c *compiler, _ *conf.Directive) error {
	c.emit(breakOp{})
	return nil
}

func setReturn(c *compiler, d *conf.Directive) error {
	op := &returnOp{}
	code, isCode := parseDecimal(d.Args[0])
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
	op.text, err = c.template(textArg)
	if op.text.isStatic() {
		op.bytes = []byte(textArg)
	}
	c.emit(op)
	return err
}

func setRewrite(c *compiler, d *conf.Directive) error {
	re, err := c.regex(d.Args[0], false)
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
	if op.uri, err = c.template(uri); err != nil {
		return err
	}
	if op.args, err = c.template(args); err != nil {
		return err
	}
	c.emit(op)
	return nil
}

func setIf(c *compiler, d *conf.Directive) error {
	cond, err := readCondition(c, d.Args)
	if err != nil {
		return err
	}
	op := &ifOp{cond: cond}
	at := len(*c.script)
	c.emit(op)
	lv := inServerIf
	var inner *Location
	if c.level == inLocation {
		lv = inLocationIf
		inner = c.newLevel(Location{kind: matchIf, name: c.loc.name, outer: c.loc, server: c.srv})
		inner.handler = nil
		op.loc = inner
		c.loc.ifs = append(c.loc.ifs, inner)
	}
	err = c.within(lv, d, func() {
		if inner != nil {
			c.loc = inner
		}
	})
	op.skip = len(*c.script) - at - 1
	return err
}

// readCondition reads the words between the parentheses of an if.
func readCondition(c *compiler, words []string) (cond condition, err error) {
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
		cond.left, err = c.template(args[1])
		return cond, err
	}
	return cond, invalid(first)
}

func variableCondition(c *compiler, args []string) (cond condition, err error) {
	if cond.left, err = c.template("${" + args[0][1:] + "}"); err != nil {
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
		cond.right, err = c.template(args[2])
	case "~", "!~", "~*", "!~*":
		cond.kind = condRegex
		cond.re, err = c.regex(args[2], strings.HasSuffix(op, "*"))
	default:
		err = fmt.Errorf("unexpected \"%s\" in condition", op)
	}
	return cond, err
}
