package phases

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// The header filter of echo is behind Lua's, which sees the length that is about to
// be dropped; its body filter is before, so that Lua sees what is put around the
// body: two modules, as each stands in one place.
var (
	echoModule = &Module{
		name:       "echo",
		directives: echoDirectives,
		variables:  echoVariables,
		conf:       []confSlot{echoLoc},
		clear:      echoNote.drop,
		build: func(b *builder, l *Location) {
			e := echoLoc.of(l)
			if e.before != nil || e.after != nil {
				b.filterHeader(echoHeader)
			}
		},
	}
	echoBodyModule = &Module{
		name: "echo_body",
		build: func(b *builder, l *Location) {
			if e := echoLoc.of(l); e.before != nil || e.after != nil {
				b.filterBody(echoBodyFilter)
			}
		},
	}

	echoLoc  = newLocSlot(mergeEcho)
	echoNote = newNote[echoState](nil)
)

// echoConf is what the directives say in a location.
type echoConf struct {
	commands []echoCommand
	before   []echoCommand
	after    []echoCommand
	status   opt[int]
}

// mergeEcho inherits nothing but the text around bodies: commands belong to their
// own location, an `if` block excepted.
func mergeEcho(e, outer *echoConf, isIf bool) {
	if e.before == nil {
		e.before = outer.before
	}
	if e.after == nil {
		e.after = outer.after
	}
	if e.commands == nil && isIf {
		e.commands = outer.commands
	}
	e.status.merge(outer.status, 0)
}

func echoDirectives() []directive {
	const where = inLocation | inLocationIf
	return []directive{
		{"echo", where, takeAny, setEcho},
		{"echo_duplicate", where, take2, setEcho},
		{"echo_flush", where, take0, setEcho},
		{"echo_sleep", where, take1, setEcho},
		{"echo_blocking_sleep", where, take1, setEcho},
		{"echo_reset_timer", where, take0, setEcho},
		{"echo_read_request_body", where, take0, setEcho},
		{"echo_request_body", where, take0, setEcho},
		{"echo_location", where, take12, setEcho},
		{"echo_location_async", where, take12, setEcho},
		{"echo_subrequest", where, takeMore2, setEcho},
		{"echo_subrequest_async", where, takeMore2, setEcho},
		{"echo_exec", where, take12, setEcho},
		{"echo_foreach_split", where, takeMore2, setEcho},
		{"echo_end", where, take0, setEcho},
		{"echo_before_body", where, takeAny, setEcho},
		{"echo_after_body", where, takeAny, setEcho},
		{"echo_status", where, take1, number(in(echoLoc, func(e *echoConf) *opt[int] { return &e.status }))},
	}
}

func echoVariables() []variable {
	return []variable{
		{name: "echo_request_method", volatile: true, get: always(func(r *Request) string { return r.Method })},
		{name: "echo_client_request_method", volatile: true, get: always(func(r *Request) string { return r.Main.Method })},
		{name: "echo_request_uri", volatile: true, get: always(echoRequestURI)},
		{name: "echo_request_body", volatile: true, get: echoRequestBodyVar},
		{name: "echo_client_request_headers", volatile: true, get: always(func(r *Request) string { return r.Main.HeaderText })},
		{name: "echo_timer_elapsed", volatile: true, get: always(echoTimer)},
		{name: "echo_incr", volatile: true, get: always(echoIncr)},
		{name: "echo_it", volatile: true, get: echoItVar},
		{name: "echo_cacheable_request_uri", get: always(echoRequestURI)},
	}
}

// echoCommand is one directive of the echo module: run it at its turn.
type echoCommand struct {
	op   echoOp
	args []template
}

type echoOp uint8

const (
	echoText echoOp = iota
	echoDuplicate
	echoFlush
	echoSleep
	echoResetTimer
	echoReadBody
	echoBody
	echoLocation
	echoSubrequest
	echoExec
	echoForeach
	echoEnd
)

// echoOps are the directives that are commands.
var echoOps = map[string]echoOp{
	"echo": echoText, "echo_duplicate": echoDuplicate, "echo_flush": echoFlush, "echo_sleep": echoSleep,
	"echo_blocking_sleep": echoSleep, "echo_reset_timer": echoResetTimer, "echo_read_request_body": echoReadBody,
	"echo_request_body": echoBody, "echo_location": echoLocation, "echo_location_async": echoLocation,
	"echo_subrequest": echoSubrequest, "echo_subrequest_async": echoSubrequest, "echo_exec": echoExec,
	"echo_foreach_split": echoForeach, "echo_end": echoEnd,
	"echo_before_body": echoText, "echo_after_body": echoText,
}

// echoState is what the echo module keeps for a request.
type echoState struct {
	timer    time.Time // start of $echo_timer_elapsed
	incr     int
	item     string // $echo_it
	inItem   bool
	began    bool // echo_before_body was sent
	finished bool // echo_after_body was sent
}

// echoStateOf is the request's state, which begins with its timer.
func echoStateOf(r *Request) *echoState {
	st := echoNote.of(r)
	if st.timer.IsZero() {
		st.timer = r.Start
	}
	return st
}

// setEcho adds a command to the location.
func setEcho(c *compiler, d *conf.Directive) error {
	cmd := echoCommand{op: echoOps[d.Name]}
	for _, arg := range d.Args {
		t, err := c.template(arg)
		if err != nil {
			return err
		}
		cmd.args = append(cmd.args, t)
	}
	switch e := echoLoc.at(c); d.Name {
	case "echo_before_body":
		e.before = append(e.before, cmd)
	case "echo_after_body":
		e.after = append(e.after, cmd)
	default:
		e.commands = append(e.commands, cmd)
		c.loc.handler = echoHandler
	}
	return nil
}

// echoHandler is the content handler of a location with echo commands.
func echoHandler(r *Request) int {
	cmds := echoLoc.of(r.Loc).commands
	for i := 0; i < len(cmds); i++ {
		if cmds[i].op == echoForeach {
			end := i + 1
			for end < len(cmds) && cmds[end].op != echoEnd {
				end++
			}
			if rc := echoEach(r, &cmds[i], cmds[i+1:end]); rc != rcOK {
				return rc
			}
			i = end
			continue
		}
		if rc := echoRun(r, &cmds[i]); rc != rcOK {
			return rc
		}
	}
	if rc := echoSendHeader(r); rc != rcOK || r.HeaderOnly {
		return rc
	}
	if rc := r.output(nil, outLast); rc != rcOK || r != r.Main {
		return rc
	}
	if _, expects := r.In.Get("Expect"); expects || r.ContentLength > 0 || r.Chunked { // only now does the module think of the body
		_ = r.Conn.Push()
	}
	return r.DiscardBody()
}

// echoEach runs the commands between echo_foreach_split and echo_end once for
// each piece of a text.
func echoEach(r *Request, head *echoCommand, body []echoCommand) int {
	if len(head.args) < 2 {
		return rcOK
	}
	st := echoStateOf(r)
	text := head.args[1].eval(r)
	sep := head.args[0].eval(r)
	if text == "" {
		return rcOK
	}
	for _, item := range strings.Split(text, sep) {
		if item == "" {
			continue
		}
		st.item, st.inItem = item, true
		for i := range body {
			if rc := echoRun(r, &body[i]); rc != rcOK {
				return rc
			}
		}
	}
	st.item, st.inItem = "", false
	return rcOK
}

// echoSendHeader sends the head unless that has happened.
func echoSendHeader(r *Request) int {
	if r.HeadersSent {
		return rcOK
	}
	r.Out.Status = 200
	if s := echoLoc.of(r.Loc).status; s.set && s.v != 0 {
		r.Out.Status = s.v
	}
	r.setContentType()
	r.Out.ClearLength()
	return r.SendHeader()
}

// echoRun runs one command.
func echoRun(r *Request, cmd *echoCommand) int {
	switch cmd.op {
	case echoText:
		return echoWrite(r, echoTextOf(r, cmd))
	case echoDuplicate:
		n, ok := parseDecimal(strings.ReplaceAll(cmd.args[0].eval(r), "_", ""))
		if !ok {
			r.Logf(errlog.Err, "invalid size specified: \"%s\"", cmd.args[0].eval(r))
			return 500
		}
		return echoWrite(r, bytes.Repeat([]byte(cmd.args[1].eval(r)), int(n)))
	case echoFlush:
		if rc := echoSendHeader(r); rc != rcOK {
			return rc
		}
		return r.output(nil, outFlush)
	case echoSleep:
		return echoWait(r, cmd.args[0].eval(r))
	case echoResetTimer:
		echoStateOf(r).timer = time.Now()
	case echoReadBody:
		return r.ReadBody(nil)
	case echoBody:
		return echoSendBody(r)
	case echoLocation:
		return echoGet(r, cmd)
	case echoSubrequest:
		return echoAsk(r, cmd)
	case echoExec:
		return echoJump(r, cmd)
	}
	return rcOK
}

// echoTextOf is what an echo command prints: its arguments with blanks
// between, and a newline unless -n is the first.
func echoTextOf(r *Request, cmd *echoCommand) []byte {
	var b []byte
	args, newline := cmd.args, true
	for len(args) > 0 && args[0].isStatic() && args[0].lit == "-n" {
		args, newline = args[1:], false
	}
	if len(args) > 0 && args[0].isStatic() && args[0].lit == "--" {
		args = args[1:]
	}
	for i := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, args[i].eval(r)...)
	}
	if newline {
		b = append(b, '\n')
	}
	return b
}

func echoWrite(r *Request, p []byte) int {
	if rc := echoSendHeader(r); rc != rcOK || r.HeaderOnly {
		return rc
	}
	return r.output(p, 0)
}

func echoWait(r *Request, seconds string) int {
	f, err := strconv.ParseFloat(seconds, 64)
	if err != nil || f < 0 {
		r.Logf(errlog.Err, "invalid sleep time \"%s\"", seconds)
		return 500
	}
	r.flushBeforeWait()
	r.wait(func() { time.Sleep(time.Duration(f * float64(time.Second))) })
	return rcOK
}

func echoSendBody(r *Request) int {
	if rc := echoSendHeader(r); rc != rcOK || r.HeaderOnly {
		return rc
	}
	b := &r.Main.Body
	if r.ownBody != nil {
		b = r.ownBody
	}
	data, err := b.BodyBytes()
	if err != nil {
		r.Logf(errlog.Crit, "%v", err)
		return 500
	}
	if len(data) == 0 {
		return rcOK
	}
	return r.output(data, 0)
}

// echoLocation makes a GET subrequest whose output stands in ours.
func echoGet(r *Request, cmd *echoCommand) int {
	o := SubrequestOptions{Method: "GET", NoBody: true, ShareVars: true}
	var ok bool
	if o.URI, o.Args, ok = r.openTarget(cmd.args[0].eval(r)); !ok {
		return rcError
	}
	if len(cmd.args) > 1 {
		o.Args = cmd.args[1].eval(r)
	}
	return echoInclude(r, o)
}

// echoSubrequest reads METHOD URI [-q args] [-b body] [-f file].
func echoAsk(r *Request, cmd *echoCommand) int {
	if len(cmd.args) < 2 {
		return 500
	}
	o := SubrequestOptions{Method: cmd.args[0].eval(r), NoBody: true, ShareVars: true}
	var ok bool
	if o.URI, o.Args, ok = r.openTarget(cmd.args[1].eval(r)); !ok {
		return rcError
	}
	for i := 2; i+1 < len(cmd.args); i += 2 {
		value := cmd.args[i+1].eval(r)
		switch cmd.args[i].lit {
		case "-q":
			o.Args = value
		case "-b":
			o.Body = []byte(value)
		case "-f":
			data, err := os.ReadFile(fullPath(r.Cycle.Prefix, value))
			if err != nil {
				r.Logf(errlog.Err, "open() \"%s\" failed: %v", value, err)
				return 500
			}
			o.Body = data
		default:
			r.Logf(errlog.Err, "unknown option for echo_subrequest_async: %s", cmd.args[i].lit)
			return 500
		}
	}
	return echoInclude(r, o)
}

// echoInclude runs a subrequest whose output follows what was sent so far.
func echoInclude(r *Request, o SubrequestOptions) int {
	if rc := echoSendHeader(r); rc != rcOK || r.HeaderOnly {
		return rc
	}
	sub := r.Subrequest(o)
	if sub == nil {
		return rcError
	}
	sub.runSubrequest()
	sub.Release()
	return r.Main.killed
}

func echoJump(r *Request, cmd *echoCommand) int {
	target := cmd.args[0].eval(r)
	switch {
	case target == "":
		return 400
	case target[0] == '@':
		name, _, _ := strings.Cut(target, "?")
		return r.NamedRedirect(name)
	}
	uri, args, ok := r.openTarget(target)
	if !ok {
		return rcError
	}
	if len(cmd.args) > 1 {
		args = cmd.args[1].eval(r)
	}
	return r.InternalRedirect(uri, args)
}

// echoHeader prepares for text around the body: its length is not known.
func echoHeader(r *Request) int {
	r.Out.ClearLength()
	r.Out.clearRanges()
	return rcOK
}

// echoBody puts echo_before_body and echo_after_body around the body.
func echoBodyFilter(r *Request, p []byte, flags int, next filterPlace) int {
	st := echoStateOf(r)
	if !st.began {
		st.began = true
		if rc := echoPass(r, echoLoc.of(r.Loc).before, next); rc != rcOK {
			return rc
		}
	}
	if flags&outLast == 0 || st.finished || echoLoc.of(r.Loc).after == nil {
		return next.pass(r, p, flags)
	}
	st.finished = true
	if rc := next.pass(r, p, flags&^outLast); rc != rcOK {
		return rc
	}
	if rc := echoPass(r, echoLoc.of(r.Loc).after, next); rc != rcOK {
		return rc
	}
	return next.pass(r, nil, flags)
}

func echoPass(r *Request, cmds []echoCommand, next filterPlace) int {
	for i := range cmds {
		if rc := next.pass(r, echoTextOf(r, &cmds[i]), 0); rc != rcOK {
			return rc
		}
	}
	return rcOK
}

func echoRequestURI(r *Request) string { return r.URI }

func echoRequestBodyVar(r *Request) (string, bool) {
	b := &r.Main.Body
	if r.ownBody != nil {
		b = r.ownBody
	}
	if !b.Read {
		return "", false
	}
	data, err := b.BodyBytes()
	return string(data), err == nil && len(data) > 0
}

func echoTimer(r *Request) string { return milliseconds(time.Since(echoStateOf(r).timer)) }

func echoIncr(r *Request) string {
	st := echoStateOf(r.Main)
	st.incr++
	return strconv.Itoa(st.incr)
}

func echoItVar(r *Request) (string, bool) {
	st := echoStateOf(r)
	return st.item, st.inItem
}
