// Package echo is the echo module (ngx_echo).
package echo

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// The header filter of echo is behind Lua's, which sees the length that is about to
// be dropped; its body filter is before, so that Lua sees what is put around the
// body: two modules, as each stands in one place.
var (
	Module = &core.Module{
		Name:       "echo",
		Directives: directives,
		Variables:  variables,
		Conf:       []core.ConfSlot{loc},
		Clear:      note.Drop,
		Build: func(b *core.Builder, l *core.Location) {
			e := loc.Of(l)
			if e.before != nil || e.after != nil {
				b.FilterHeader(header)
			}
		},
	}
	Body = &core.Module{
		Name: "echo_body",
		Build: func(b *core.Builder, l *core.Location) {
			if e := loc.Of(l); e.before != nil || e.after != nil {
				b.FilterBody(body)
			}
		},
	}

	loc  = core.NewLocSlot(merge)
	note = core.NewNote[state](nil)
)

// config is what the directives say in a location.
type config struct {
	commands []command
	before   []command
	after    []command
	status   core.Opt[int]
}

// merge inherits nothing but the text around bodies: commands belong to their
// own location, an `if` block excepted.
func merge(e, outer *config, isIf bool) {
	if e.before == nil {
		e.before = outer.before
	}
	if e.after == nil {
		e.after = outer.after
	}
	if e.commands == nil && isIf {
		e.commands = outer.commands
	}
	e.status.Merge(outer.status, 0)
}

func directives() []core.Directive {
	const where = core.InLocation | core.InLocationIf
	return []core.Directive{
		{Name: "echo", In: where, Args: core.TakeAny, Set: setCommand},
		{Name: "echo_duplicate", In: where, Args: core.Take2, Set: setCommand},
		{Name: "echo_flush", In: where, Args: core.Take0, Set: setCommand},
		{Name: "echo_sleep", In: where, Args: core.Take1, Set: setCommand},
		{Name: "echo_blocking_sleep", In: where, Args: core.Take1, Set: setCommand},
		{Name: "echo_reset_timer", In: where, Args: core.Take0, Set: setCommand},
		{Name: "echo_read_request_body", In: where, Args: core.Take0, Set: setCommand},
		{Name: "echo_request_body", In: where, Args: core.Take0, Set: setCommand},
		{Name: "echo_location", In: where, Args: core.Take12, Set: setCommand},
		{Name: "echo_location_async", In: where, Args: core.Take12, Set: setCommand},
		{Name: "echo_subrequest", In: where, Args: core.TakeMore2, Set: setCommand},
		{Name: "echo_subrequest_async", In: where, Args: core.TakeMore2, Set: setCommand},
		{Name: "echo_exec", In: where, Args: core.Take12, Set: setCommand},
		{Name: "echo_foreach_split", In: where, Args: core.TakeMore2, Set: setCommand},
		{Name: "echo_end", In: where, Args: core.Take0, Set: setCommand},
		{Name: "echo_before_body", In: where, Args: core.TakeAny, Set: setCommand},
		{Name: "echo_after_body", In: where, Args: core.TakeAny, Set: setCommand},
		{Name: "echo_status", In: where, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(e *config) *core.Opt[int] { return &e.status }))},
	}
}

func variables() []core.Variable {
	return []core.Variable{
		{Name: "echo_request_method", Volatile: true, Get: core.Always(func(r *core.Request) string { return r.Method })},
		{Name: "echo_client_request_method", Volatile: true, Get: core.Always(func(r *core.Request) string { return r.Main.Method })},
		{Name: "echo_request_uri", Volatile: true, Get: core.Always(echoRequestURI)},
		{Name: "echo_request_body", Volatile: true, Get: echoRequestBodyVar},
		{Name: "echo_client_request_headers", Volatile: true, Get: core.Always(func(r *core.Request) string { return r.Main.HeaderText })},
		{Name: "echo_timer_elapsed", Volatile: true, Get: core.Always(echoTimer)},
		{Name: "echo_incr", Volatile: true, Get: core.Always(echoIncr)},
		{Name: "echo_it", Volatile: true, Get: echoItVar},
		{Name: "echo_cacheable_request_uri", Get: core.Always(echoRequestURI)},
	}
}

// command is one directive of the echo module: run it at its turn.
type command struct {
	op   op
	args []core.Template
}

type op uint8

const (
	echoText op = iota
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

// ops are the directives that are commands.
var ops = map[string]op{
	"echo": echoText, "echo_duplicate": echoDuplicate, "echo_flush": echoFlush, "echo_sleep": echoSleep,
	"echo_blocking_sleep": echoSleep, "echo_reset_timer": echoResetTimer, "echo_read_request_body": echoReadBody,
	"echo_request_body": echoBody, "echo_location": echoLocation, "echo_location_async": echoLocation,
	"echo_subrequest": echoSubrequest, "echo_subrequest_async": echoSubrequest, "echo_exec": echoExec,
	"echo_foreach_split": echoForeach, "echo_end": echoEnd,
	"echo_before_body": echoText, "echo_after_body": echoText,
}

// state is what the echo module keeps for a request.
type state struct {
	timer    time.Time // start of $echo_timer_elapsed
	incr     int
	item     string // $echo_it
	inItem   bool
	began    bool // echo_before_body was sent
	finished bool // echo_after_body was sent
}

// stateOf is the request's state, which begins with its timer.
func stateOf(r *core.Request) *state {
	st := note.Of(r)
	if st.timer.IsZero() {
		st.timer = r.Start
	}
	return st
}

// setCommand adds a command to the location.
func setCommand(c *core.Compiler, d *conf.Directive) error {
	cmd := command{op: ops[d.Name]}
	for _, arg := range d.Args {
		t, err := c.Template(arg)
		if err != nil {
			return err
		}
		cmd.args = append(cmd.args, t)
	}
	switch e := loc.At(c); d.Name {
	case "echo_before_body":
		e.before = append(e.before, cmd)
	case "echo_after_body":
		e.after = append(e.after, cmd)
	default:
		e.commands = append(e.commands, cmd)
		c.Loc.Handler = handler
	}
	return nil
}

// handler is the content handler of a location with echo commands.
func handler(r *core.Request) int {
	cmds := loc.Of(r.Loc).commands
	for i := 0; i < len(cmds); i++ {
		if cmds[i].op == echoForeach {
			end := i + 1
			for end < len(cmds) && cmds[end].op != echoEnd {
				end++
			}
			if rc := echoEach(r, &cmds[i], cmds[i+1:end]); rc != core.OK {
				return rc
			}
			i = end
			continue
		}
		if rc := echoRun(r, &cmds[i]); rc != core.OK {
			return rc
		}
	}
	if rc := echoSendHeader(r); rc != core.OK || r.HeaderOnly {
		return rc
	}
	if rc := r.Emit(nil, core.Last); rc != core.OK || r != r.Main {
		return rc
	}
	if _, expects := r.In.Get("Expect"); expects || r.ContentLength > 0 || r.Chunked { // only now does the module think of the body
		_ = r.Conn.Push()
	}
	return r.DiscardBody()
}

// echoEach runs the commands between echo_foreach_split and echo_end once for
// each piece of a text.
func echoEach(r *core.Request, head *command, body []command) int {
	if len(head.args) < 2 {
		return core.OK
	}
	st := stateOf(r)
	text := head.args[1].Eval(r)
	sep := head.args[0].Eval(r)
	if text == "" {
		return core.OK
	}
	for _, item := range strings.Split(text, sep) {
		if item == "" {
			continue
		}
		st.item, st.inItem = item, true
		for i := range body {
			if rc := echoRun(r, &body[i]); rc != core.OK {
				return rc
			}
		}
	}
	st.item, st.inItem = "", false
	return core.OK
}

// echoSendHeader sends the head unless that has happened.
func echoSendHeader(r *core.Request) int {
	if r.HeadersSent {
		return core.OK
	}
	r.Out.Status = 200
	if s := loc.Of(r.Loc).status; s.Set && s.V != 0 {
		r.Out.Status = s.V
	}
	r.SetContentType()
	r.Out.ClearLength()
	return r.SendHeader()
}

// echoRun runs one command.
func echoRun(r *core.Request, cmd *command) int {
	switch cmd.op {
	case echoText:
		return echoWrite(r, echoTextOf(r, cmd))
	case echoDuplicate:
		n, ok := ngxtext.ParseDecimal(strings.ReplaceAll(cmd.args[0].Eval(r), "_", ""))
		if !ok {
			r.Logf(errlog.Err, "invalid size specified: \"%s\"", cmd.args[0].Eval(r))
			return 500
		}
		return echoWrite(r, bytes.Repeat([]byte(cmd.args[1].Eval(r)), int(n)))
	case echoFlush:
		if rc := echoSendHeader(r); rc != core.OK {
			return rc
		}
		return r.Emit(nil, core.Flush)
	case echoSleep:
		return echoWait(r, cmd.args[0].Eval(r))
	case echoResetTimer:
		stateOf(r).timer = time.Now()
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
	return core.OK
}

// echoTextOf is what an echo command prints: its arguments with blanks
// between, and a newline unless -n is the first.
func echoTextOf(r *core.Request, cmd *command) []byte {
	var b []byte
	args, newline := cmd.args, true
	for len(args) > 0 && args[0].IsStatic() && args[0].Lit == "-n" {
		args, newline = args[1:], false
	}
	if len(args) > 0 && args[0].IsStatic() && args[0].Lit == "--" {
		args = args[1:]
	}
	for i := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, args[i].Eval(r)...)
	}
	if newline {
		b = append(b, '\n')
	}
	return b
}

func echoWrite(r *core.Request, p []byte) int {
	if rc := echoSendHeader(r); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.Emit(p, 0)
}

func echoWait(r *core.Request, seconds string) int {
	f, err := strconv.ParseFloat(seconds, 64)
	if err != nil || f < 0 {
		r.Logf(errlog.Err, "invalid sleep time \"%s\"", seconds)
		return 500
	}
	r.FlushBeforeWait()
	r.Wait(func() { time.Sleep(time.Duration(f * float64(time.Second))) })
	return core.OK
}

func echoSendBody(r *core.Request) int {
	if rc := echoSendHeader(r); rc != core.OK || r.HeaderOnly {
		return rc
	}
	b := &r.Main.Body
	if r.OwnBody != nil {
		b = r.OwnBody
	}
	data, err := b.Bytes()
	if err != nil {
		r.Logf(errlog.Crit, "%v", err)
		return 500
	}
	if len(data) == 0 {
		return core.OK
	}
	return r.Emit(data, 0)
}

// echoGet makes a GET subrequest whose output stands in ours.
func echoGet(r *core.Request, cmd *command) int {
	o := core.SubrequestOptions{Method: "GET", NoBody: true, ShareVars: true}
	var ok bool
	if o.URI, o.Args, ok = r.OpenTarget(cmd.args[0].Eval(r)); !ok {
		return core.Error
	}
	if len(cmd.args) > 1 {
		o.Args = cmd.args[1].Eval(r)
	}
	return echoInclude(r, o)
}

// echoAsk reads METHOD URI [-q args] [-b body] [-f file].
func echoAsk(r *core.Request, cmd *command) int {
	if len(cmd.args) < 2 {
		return 500
	}
	o := core.SubrequestOptions{Method: cmd.args[0].Eval(r), NoBody: true, ShareVars: true}
	var ok bool
	if o.URI, o.Args, ok = r.OpenTarget(cmd.args[1].Eval(r)); !ok {
		return core.Error
	}
	for i := 2; i+1 < len(cmd.args); i += 2 {
		value := cmd.args[i+1].Eval(r)
		switch cmd.args[i].Lit {
		case "-q":
			o.Args = value
		case "-b":
			o.Body = []byte(value)
		case "-f":
			data, err := os.ReadFile(core.FullPath(r.Cycle.Prefix, value))
			if err != nil {
				r.Logf(errlog.Err, "open() \"%s\" failed: %v", value, err)
				return 500
			}
			o.Body = data
		default:
			r.Logf(errlog.Err, "unknown option for echo_subrequest_async: %s", cmd.args[i].Lit)
			return 500
		}
	}
	return echoInclude(r, o)
}

// echoInclude runs a subrequest whose output follows what was sent so far.
func echoInclude(r *core.Request, o core.SubrequestOptions) int {
	if rc := echoSendHeader(r); rc != core.OK || r.HeaderOnly {
		return rc
	}
	sub := r.Subrequest(o)
	if sub == nil {
		return core.Error
	}
	sub.RunSubrequest()
	sub.Release()
	return r.Main.Killed
}

func echoJump(r *core.Request, cmd *command) int {
	target := cmd.args[0].Eval(r)
	switch {
	case target == "":
		return 400
	case target[0] == '@':
		name, _, _ := strings.Cut(target, "?")
		return r.NamedRedirect(name)
	}
	uri, args, ok := r.OpenTarget(target)
	if !ok {
		return core.Error
	}
	if len(cmd.args) > 1 {
		args = cmd.args[1].Eval(r)
	}
	return r.InternalRedirect(uri, args)
}

// header prepares for text around the body: its length is not known.
func header(r *core.Request) int {
	r.Out.ClearLength()
	r.Out.ClearRanges()
	return core.OK
}

// body puts echo_before_body and echo_after_body around the body.
func body(r *core.Request, p []byte, flags int, next core.Next) int {
	st := stateOf(r)
	if !st.began {
		st.began = true
		if rc := echoPass(r, loc.Of(r.Loc).before, next); rc != core.OK {
			return rc
		}
	}
	if flags&core.Last == 0 || st.finished || loc.Of(r.Loc).after == nil {
		return next.Pass(r, p, flags)
	}
	st.finished = true
	if rc := next.Pass(r, p, flags&^core.Last); rc != core.OK {
		return rc
	}
	if rc := echoPass(r, loc.Of(r.Loc).after, next); rc != core.OK {
		return rc
	}
	return next.Pass(r, nil, flags)
}

func echoPass(r *core.Request, cmds []command, next core.Next) int {
	for i := range cmds {
		if rc := next.Pass(r, echoTextOf(r, &cmds[i]), 0); rc != core.OK {
			return rc
		}
	}
	return core.OK
}

func echoRequestURI(r *core.Request) string { return r.URI }

func echoRequestBodyVar(r *core.Request) (string, bool) {
	b := &r.Main.Body
	if r.OwnBody != nil {
		b = r.OwnBody
	}
	if !b.Read {
		return "", false
	}
	data, err := b.Bytes()
	return string(data), err == nil && len(data) > 0
}

func echoTimer(r *core.Request) string { return ngxtext.Milliseconds(time.Since(stateOf(r).timer)) }

func echoIncr(r *core.Request) string {
	st := stateOf(r.Main)
	st.incr++
	return strconv.Itoa(st.incr)
}

func echoItVar(r *core.Request) (string, bool) {
	st := stateOf(r)
	return st.item, st.inItem
}
