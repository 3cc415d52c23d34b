package phases

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// The header filter of echo is behind Lua's, which sees the length that is about to
// be dropped; its body filter is before, so that Lua sees what is put around the
// body.
var (
	echoModule = &Module{
		name:  "echo",
		clear: func(r *Request) { r.echo = nil },
		build: func(b *builder, l *Location) {
			if l.echoBefore != nil || l.echoAfter != nil {
				b.filterHeader((*Request).echoHeader)
			}
		},
	}
	echoBodyModule = &Module{
		name: "echo",
		build: func(b *builder, l *Location) {
			if l.echoBefore != nil || l.echoAfter != nil {
				b.filterBody((*Request).echoBody)
			}
		},
	}
)

// echoConf is what the echo module's directives say in a location.
type echoConf struct {
	echoCommands []echoCommand
	echoBefore   []echoCommand
	echoAfter    []echoCommand
	echoStatus   opt[int]
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

func (r *Request) echoState() *echoState {
	if r.echo == nil {
		r.echo = &echoState{timer: r.Start}
	}
	return r.echo
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
	switch d.Name {
	case "echo_before_body":
		c.loc.echoBefore = append(c.loc.echoBefore, cmd)
	case "echo_after_body":
		c.loc.echoAfter = append(c.loc.echoAfter, cmd)
	default:
		c.loc.echoCommands = append(c.loc.echoCommands, cmd)
		c.loc.handler = (*Request).echoHandler
	}
	return nil
}

// echoHandler is the content handler of a location with echo commands.
func (r *Request) echoHandler() int {
	cmds := r.Loc.echoCommands
	for i := 0; i < len(cmds); i++ {
		if cmds[i].op == echoForeach {
			end := i + 1
			for end < len(cmds) && cmds[end].op != echoEnd {
				end++
			}
			if rc := r.echoEach(&cmds[i], cmds[i+1:end]); rc != rcOK {
				return rc
			}
			i = end
			continue
		}
		if rc := r.echoRun(&cmds[i]); rc != rcOK {
			return rc
		}
	}
	if rc := r.echoSendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	if rc := r.output(nil, outLast); rc != rcOK || r != r.Main {
		return rc
	}
	if r.ContentLength > 0 || r.Chunked { // only now does the module think of the body
		r.Conn.Push()
	}
	return r.DiscardBody()
}

// echoEach runs the commands between echo_foreach_split and echo_end once for
// each piece of a text.
func (r *Request) echoEach(head *echoCommand, body []echoCommand) int {
	if len(head.args) < 2 {
		return rcOK
	}
	st := r.echoState()
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
			if rc := r.echoRun(&body[i]); rc != rcOK {
				return rc
			}
		}
	}
	st.inItem = false
	return rcOK
}

// echoSendHeader sends the head unless that has happened.
func (r *Request) echoSendHeader() int {
	if r.HeadersSent {
		return rcOK
	}
	r.Out.Status = 200
	if s := r.Loc.echoStatus; s.set && s.v != 0 {
		r.Out.Status = s.v
	}
	r.setContentType()
	r.Out.ClearLength()
	return r.SendHeader()
}

// echoRun runs one command.
func (r *Request) echoRun(cmd *echoCommand) int {
	switch cmd.op {
	case echoText:
		return r.echoWrite(r.echoTextOf(cmd))
	case echoDuplicate:
		n, ok := parseDecimal(strings.ReplaceAll(cmd.args[0].eval(r), "_", ""))
		if !ok {
			r.Logf(LogErr, "invalid size specified: \"%s\"", cmd.args[0].eval(r))
			return 500
		}
		return r.echoWrite(bytes.Repeat([]byte(cmd.args[1].eval(r)), int(n)))
	case echoFlush:
		if rc := r.echoSendHeader(); rc != rcOK {
			return rc
		}
		return r.output(nil, outFlush)
	case echoSleep:
		return r.echoSleep(cmd.args[0].eval(r))
	case echoResetTimer:
		r.echoState().timer = time.Now()
	case echoReadBody:
		return r.ReadBody(nil)
	case echoBody:
		return r.echoRequestBody()
	case echoLocation:
		return r.echoLocation(cmd)
	case echoSubrequest:
		return r.echoSubrequest(cmd)
	case echoExec:
		return r.echoExec(cmd)
	}
	return rcOK
}

// echoTextOf is what an echo command prints: its arguments with blanks
// between, and a newline unless -n is the first.
func (r *Request) echoTextOf(cmd *echoCommand) []byte {
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

func (r *Request) echoWrite(p []byte) int {
	if rc := r.echoSendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	return r.output(p, 0)
}

func (r *Request) echoSleep(seconds string) int {
	f, err := strconv.ParseFloat(seconds, 64)
	if err != nil || f < 0 {
		r.Logf(LogErr, "invalid sleep time \"%s\"", seconds)
		return 500
	}
	r.flushBeforeWait()
	r.wait(func() { time.Sleep(time.Duration(f * float64(time.Second))) })
	return rcOK
}

// flushBeforeWait starts sending what is buffered, as nginx's event loop does
// when a handler waits.
func (r *Request) flushBeforeWait() {
	if conn := r.Main.Conn; conn != nil && r.captured == nil && r.Main.HeadersSent && int64(conn.Buffered()) >= r.Loc.postponeOutput.v {
		conn.Push()
	}
}

func (r *Request) echoRequestBody() int {
	if rc := r.echoSendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	b := &r.Main.Body
	if r.ownBody != nil {
		b = r.ownBody
	}
	data, err := b.BodyBytes()
	if err != nil {
		r.Logf(LogCrit, "%v", err)
		return 500
	}
	if len(data) == 0 {
		return rcOK
	}
	return r.output(data, 0)
}

// echoLocation makes a GET subrequest whose output stands in ours.
func (r *Request) echoLocation(cmd *echoCommand) int {
	o := SubrequestOptions{Method: "GET", NoBody: true, ShareVars: true}
	var ok bool
	if o.URI, o.Args, ok = r.openTarget(cmd.args[0].eval(r)); !ok {
		return rcError
	}
	if len(cmd.args) > 1 {
		o.Args = cmd.args[1].eval(r)
	}
	return r.echoInclude(o)
}

// echoSubrequest reads METHOD URI [-q args] [-b body] [-f file].
func (r *Request) echoSubrequest(cmd *echoCommand) int {
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
				r.Logf(LogErr, "open() \"%s\" failed: %v", value, err)
				return 500
			}
			o.Body = data
		default:
			r.Logf(LogErr, "unknown option for echo_subrequest_async: %s", cmd.args[i].lit)
			return 500
		}
	}
	return r.echoInclude(o)
}

// echoInclude runs a subrequest whose output follows what was sent so far.
func (r *Request) echoInclude(o SubrequestOptions) int {
	if rc := r.echoSendHeader(); rc != rcOK || r.HeaderOnly {
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

func (r *Request) echoExec(cmd *echoCommand) int {
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
func (r *Request) echoHeader() int {
	r.Out.ClearLength()
	r.Out.clearRanges()
	return rcOK
}

// echoBody puts echo_before_body and echo_after_body around the body.
func (r *Request) echoBody(p []byte, flags int, next filterPlace) int {
	st := r.echoState()
	if !st.began {
		st.began = true
		if rc := r.echoPass(r.Loc.echoBefore, next); rc != rcOK {
			return rc
		}
	}
	if flags&outLast == 0 || st.finished || r.Loc.echoAfter == nil {
		return next.pass(r, p, flags)
	}
	st.finished = true
	if rc := next.pass(r, p, flags&^outLast); rc != rcOK {
		return rc
	}
	if rc := r.echoPass(r.Loc.echoAfter, next); rc != rcOK {
		return rc
	}
	return next.pass(r, nil, flags)
}

func (r *Request) echoPass(cmds []echoCommand, next filterPlace) int {
	for i := range cmds {
		if rc := next.pass(r, r.echoTextOf(&cmds[i]), 0); rc != rcOK {
			return rc
		}
	}
	return rcOK
}

func setEchoStatus(c *compiler, d *conf.Directive) error {
	n, ok := parseDecimal(d.Args[0])
	if !ok || n > 999 {
		return fmt.Errorf("invalid status \"%s\"", d.Args[0])
	}
	return c.loc.echoStatus.put(int(n))
}

// merge inherits nothing but the text around bodies: commands belong to their
// own location, an `if` block excepted.
func (e *echoConf) merge(outer *echoConf, isIf bool) {
	if e.echoBefore == nil {
		e.echoBefore = outer.echoBefore
	}
	if e.echoAfter == nil {
		e.echoAfter = outer.echoAfter
	}
	if e.echoCommands == nil && isIf {
		e.echoCommands = outer.echoCommands
	}
	e.echoStatus.merge(outer.echoStatus, 0)
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

func echoTimer(r *Request) string { return milliseconds(time.Since(r.echoState().timer)) }

func echoIncr(r *Request) string {
	st := r.Main.echoState()
	st.incr++
	return strconv.Itoa(st.incr)
}

func echoItVar(r *Request) (string, bool) {
	st := r.echoState()
	return st.item, st.inItem
}
