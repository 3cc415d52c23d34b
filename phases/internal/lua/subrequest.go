package lua

import (
	"strings"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxLocation is the ngx.location table.
var ngxLocation = lib.Functions{
	{"capture", ngxCapture},
	{"capture_multi", ngxCaptureMulti},
}

// ngxCapture is ngx.location.capture(uri, options).
func ngxCapture(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting one or two arguments")
	}
	c := gate(th, caller.Capture, caller.NoRequestObject)
	return capture1(th, c, []rt.Value{rt.NewArray(args...)})
}

// ngxCaptureMulti is ngx.location.capture_multi{ {uri, options}, ... }.
func ngxCaptureMulti(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("only one argument is expected, but got %d", len(args))
	}
	list := th.CheckTable(args, 0)
	n := list.Len()
	if n == 0 {
		th.Errorf("at least one subrequest should be specified")
	}
	c := gate(th, caller.Capture, caller.NoRequestObject)
	queries := make([]rt.Value, n)
	for i := range queries {
		queries[i] = list.Int(i + 1)
	}
	return capture1(th, c, queries)
}

// capture1 makes the subrequests, waits for all of them and returns a table for
// each.
func capture1(th *rt.Thread, c *runCtx, queries []rt.Value) (rt.Value, int) {
	subs := make([]*core.Request, 0, len(queries))
	for i, q := range queries {
		if !q.IsTable() {
			th.Errorf("the query argument %d is not a table, but a %s", i, rt.TypeName(q))
		}
		sub := newCapture(th, c.Request, i, q.Table())
		if sub == nil {
			for _, s := range subs {
				s.Release()
			}
			th.Errorf("failed to issue subrequest: %d", core.Error)
		}
		subs = append(subs, sub)
	}
	light := th.Light()
	light.Subrequests += len(subs)
	c.subrequests += len(subs)
	th.Block(nil, func() { runAll(subs) })
	c.subrequests -= len(subs)
	light.Subrequests -= len(subs)
	if rc := c.Request.Main.Killed; rc != 0 {
		for _, sub := range subs {
			sub.Release()
		}
		panic(exitAbort{rc})
	}
	results := make([]rt.Value, len(subs))
	for i, sub := range subs {
		results[i] = captureResult(sub)
		sub.Release()
	}
	return th.ReturnList(results)
}

// runAll runs the subrequests side by side: while one waits, another goes on. Each
// has a goroutine, whose stack begins with its own Lua code. They begin in order: the
// next one asks for the baton when the one before has it.
func runAll(subs []*core.Request) {
	var wg sync.WaitGroup
	begun := make(chan struct{})
	for _, sub := range subs {
		wg.Go(func() {
			sub.TakesBaton = false
			sub.Baton.Acquire()
			defer sub.Baton.Release()
			begun <- struct{}{}
			sub.RunSubrequest()
		})
		<-begun
	}
	wg.Wait()
}

// captured notes what a captured subrequest ended with. One that gives up takes the
// main request along (ngx_http_lua_post_subrequest).
func captured(r *core.Request, rc int) {
	finalized := rc == core.OK && r.FilterFinalized
	if r.Out.Status == 0 {
		switch {
		case rc == core.OK:
			r.Out.Status = 200
		case rc == core.Error:
			r.Out.Status, rc = 500, 500
		case rc >= 100:
			r.Out.Status = rc
		}
	}
	switch {
	case rc == core.StatusClose, rc == core.StatusClientClosed, rc == core.StatusRequestTimeout:
		r.Terminate(rc)
	case finalized:
		r.Terminate(core.Error)
	}
}

// newCapture makes the subrequest that a query {uri, options} asks for.
func newCapture(th *rt.Thread, r *core.Request, i int, q *rt.Table) *core.Request {
	if n := q.Len(); n != 1 && n != 2 {
		th.Errorf("query argument %d expecting one or two arguments", i)
	}
	uriArg := q.Int(1)
	if !uriArg.IsString() && !uriArg.IsNumber() {
		th.ArgTypeError([]rt.Value{uriArg}, 0, "string")
	}
	uriText := lib.Text(th, uriArg)
	uri, args, ok := core.OpenTarget(uriText)
	if !ok {
		th.Errorf("unsafe uri in argument #1: %s", uriText)
	}
	o := core.SubrequestOptions{URI: uri, Args: args, EmptyArgs: strings.IndexByte(uriText, '?') >= 0,
		InMemory: true, Baton: note.Of(r).worker.baton, Post: captured, Unwatched: !loc.Of(r.Main.Loc).checkClientAbort.V}
	opts := captureOptions{th: th, o: &o, custom: r.Cycle.Stack.Has(compat.CaptureHeaders)}
	if v := q.Int(2); !v.IsNil() {
		if !v.IsTable() {
			th.Errorf("expecting table as the 2nd argument for subrequest %d, but got %s", i, rt.TypeName(v))
		}
		opts.read(v.Table())
	}
	opts.settleBody()
	if r.Depth <= 1 {
		r.Logf(errlog.Err, "lua subrequests cycle while processing \"%s\"", o.URI)
		return nil
	}
	sub := r.Subrequest(o)
	note.Of(sub).capture = &capture{}
	if opts.ctx != nil {
		setCtx(sub, opts.ctx)
	}
	opts.each(opts.headers, func(name, value string) {
		if !setRequestHeader(sub, escapeHeaderName(name), []string{escapeHeaderValue(value)}) {
			sub.Release()
			th.Errorf("failed to adjust the subrequest: %d", core.Error)
		}
	})
	opts.each(opts.variable, func(name, value string) {
		v := r.Cycle.Vars.ByName[ngxtext.Lower(name)]
		switch {
		case v == nil || v.Set == nil && v.Index < 0:
			r.Logf(errlog.Err, "variable \"%s\" cannot be assigned a value (maybe you forgot to define it first?)", name)
		case !v.Changeable:
			r.Logf(errlog.Err, "variable \"%s\" not changeable", name)
		case sub.SetVar(name, value, true) == nil:
			return
		}
		sub.Release()
		th.Errorf("failed to adjust the subrequest: %d", core.Error)
	})
	return sub
}

// captureOptions reads the options table of a capture.
type captureOptions struct {
	th       *rt.Thread
	o        *core.SubrequestOptions
	always   bool // always_forward_body
	custom   bool // there is an option headers
	headers  *rt.Table
	hasBody  bool
	ctx      *rt.Table
	variable *rt.Table
}

// flag reads a field that is true or false, nil meaning false.
func (c *captureOptions) flag(t *rt.Table, name string) bool {
	v := t.GetStr(name)
	if !v.IsNil() && !v.IsBool() {
		c.th.Errorf("Bad %s option value", name)
	}
	return v.Truthy()
}

func (c *captureOptions) read(t *rt.Table) {
	th := c.th
	switch v := t.GetStr("args"); {
	case v.IsNil():
	case v.IsTable():
		c.addArgs(encodeArgs(th, v.Table()))
	case v.IsString(), v.IsNumber():
		c.addArgs(lib.Text(th, v))
	default:
		th.Errorf("Bad args option value")
	}
	switch v := t.GetStr("vars"); {
	case v.IsNil():
	case v.IsTable():
		c.variable = v.Table()
	default:
		th.Errorf("Bad vars option value")
	}
	if c.custom {
		switch v := t.GetStr("headers"); {
		case v.IsNil():
		case v.IsTable():
			c.headers = v.Table()
		default:
			th.Errorf("Bad headers option value")
		}
	}
	c.o.ShareVars = c.flag(t, "share_all_vars")
	c.o.CopyVars = c.flag(t, "copy_all_vars")
	c.always = t.GetStr("always_forward_body").Truthy()
	if v := t.GetStr("method"); !v.IsNil() {
		if !v.IsNumber() {
			th.Errorf("Bad http request method")
		}
		name, ok := methodName(v.Num())
		if !ok {
			th.Errorf("failed to adjust the subrequest: %d", core.Error)
		}
		c.o.Method = name
		c.o.HeaderOnly = name == "HEAD"
	}
	if v := t.GetStr("ctx"); !v.IsNil() {
		if !v.IsTable() {
			th.Errorf("Bad ctx option value type %s, expected a Lua table", rt.TypeName(v))
		}
		c.ctx = v.Table()
	}
	if v := t.GetStr("body"); !v.IsNil() {
		if !v.IsString() && !v.IsNumber() {
			th.Errorf("Bad http request body")
		}
		c.hasBody = true
		c.o.Body = append([]byte{}, lib.Text(th, v)...)
	}
}

func (c *captureOptions) addArgs(args string) {
	if c.o.Args != "" && args != "" {
		c.o.Args += "&"
	}
	c.o.Args += args
}

// settleBody says what becomes of the parent's body: PUT and POST take it along
// unless they have their own.
func (c *captureOptions) settleBody() {
	switch {
	case c.hasBody:
	case c.always, c.o.Method == "PUT", c.o.Method == "POST":
		c.o.KeepBody = true
	default:
		c.o.NoBody = true
	}
}

// each gives the entries of the options vars and headers.
func (c *captureOptions) each(t *rt.Table, f func(name, value string)) {
	if t == nil {
		return
	}
	for k, v, _ := t.Next(rt.Nil); !k.IsNil(); k, v, _ = t.Next(k) {
		if !k.IsString() {
			c.th.Errorf("attempt to use a non-string key in the \"vars\" option table")
		}
		if !v.IsString() && !v.IsNumber() {
			c.th.Errorf("attempt to use bad variable value type %s", rt.TypeName(v))
		}
		f(k.Str(), lib.Text(c.th, v))
	}
}

// captureShape is the layout of a capture's result.
var captureShape = rt.NewShape("status", "truncated", "body", "header")

// captureResult makes the table that ngx.location.capture returns.
func captureResult(sub *core.Request) rt.Value {
	body := string(note.Of(sub).capture.body)
	truncated := !sub.OutputEnded || sub.HeaderOnly
	o := &sub.Out
	if o.Status >= 200 && o.Status != 304 {
		sub.SetContentType()
	}
	header := rt.NewTable(0, len(o.Headers)+2)
	for i := range o.Headers {
		addMulti(header, rt.String(o.Headers[i].Name), rt.String(o.Headers[i].Value))
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Last-Modified", "Location"} {
		if v, ok := o.Get(name); ok && !o.Headers.Has(name) {
			header.Set(rt.String(name), rt.String(v))
		}
	}
	return rt.NewRecord(captureShape, rt.Int(sub.FinalStatus()), rt.Bool(truncated), rt.String(body), rt.TableValue(header))
}
