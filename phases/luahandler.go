package phases

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// luaHandler is one *_by_lua* directive, or the file that one with variables
// in its path came to.
type luaHandler struct {
	ref   ChunkRef
	chunk *rt.Chunk
	path  template // file form with variables
	index int      // place in Worker.functions
}

// code gives the function that runs a handler: the worker's, or with
// lua_isolate_globals one whose globals end with the run. The status is as
// sharedCode gives it.
func (c *LuaCtx) code(h *luaHandler) (rt.Value, int) {
	f, rc := c.sharedCode(h)
	if rc == rcOK && luaLoc.of(c.location()).isolateGlobals.v {
		f = c.Worker.State.Isolated(f)
	}
	return f, rc
}

// sharedCode finds the function of a handler in the worker. The status is not rcOK
// when there is none: 404 for a file that is not there, 503 for one that
// cannot be read, 500 for code that was not compiled in or is broken.
func (c *LuaCtx) sharedCode(h *luaHandler) (rt.Value, int) {
	w := c.Worker
	if !h.ref.HasVars {
		if f := w.functions[h.index]; f.IsFunction() {
			return f, rcOK
		}
		if h.chunk == nil { // a file that was not there at the start
			if status := c.missingFile(h.ref.Path); status != rcOK {
				return rt.Nil, status
			}
			return rt.Nil, c.notCompiled(h.ref.Path)
		}
		f, rc := c.load(h.chunk, h.ref.Name, h.ref.Path)
		if rc == rcOK {
			w.functions[h.index] = f
		}
		return f, rc
	}
	path := fullPath(w.Cycle.Prefix, h.path.eval(c.R))
	if f, ok := w.files[path]; ok {
		return f, rcOK
	}
	chunk := fileChunk(w.Cycle, path)
	if chunk == nil {
		if status := c.missingFile(path); status != rcOK {
			return rt.Nil, status
		}
		return rt.Nil, c.notCompiled(path)
	}
	f, rc := c.load(chunk, "@"+path, path)
	if rc == rcOK {
		w.files[path] = f
	}
	return f, rc
}

// notCompiled refuses a file that exists and that this binary does not have.
func (c *LuaCtx) notCompiled(path string) int {
	c.logf(LogErr, "failed to load external Lua file \"%s\": it was not compiled into this binary %s", path, rebuild)
	return 500
}

// missingFile logs why a Lua file cannot be opened or read and gives the status for
// that; rcOK when the file is there.
func (c *LuaCtx) missingFile(path string) int {
	verb := "open"
	f, err := os.Open(path)
	if err == nil {
		verb = "read"
		_, err = f.Read(make([]byte, 1))
		f.Close()
		if err == nil || err == io.EOF {
			return rcOK
		}
	}
	text := err.Error()
	var pe *fs.PathError
	if errors.As(err, &pe) {
		text = conf.Strerror(pe.Err)
	}
	c.logf(LogErr, "failed to load external Lua file \"%s\": cannot %s %s: %s", path, verb, path, text)
	if errors.Is(err, fs.ErrNotExist) {
		return 404
	}
	return 503
}

// load makes a chunk a function of the worker. A chunk with a syntax error
// says so now, at run time, as ngx_lua does; so does one whose file is not what was
// compiled.
func (c *LuaCtx) load(chunk *rt.Chunk, name, path string) (rt.Value, int) {
	w := c.Worker
	if sources := luaMain.of(w.Cycle).sources; path != "" && !sources.trusts() {
		if status := c.missingFile(path); status != rcOK {
			return rt.Nil, status
		}
		if err := sources.check(chunk, path); err != nil {
			c.logf(LogErr, "failed to load external Lua file \"%s\": it %v %s", path, err, rebuild)
			return rt.Nil, 500
		}
	}
	f := w.State.Load(chunk, name) // gives the chunk its name
	if text := w.State.ChunkError(chunk); text != "" {
		if path != "" {
			c.logf(LogErr, "failed to load external Lua file \"%s\": %s", path, text)
		} else {
			c.logf(LogErr, "failed to load inlined Lua code: %s", text)
		}
		return rt.Nil, 500
	}
	return f, rcOK
}

// luaHandlerOf is the handler that a phase runs in this location, nil without one.
func luaHandlerOf(l *Location, p Phase) *luaHandler { return luaLoc.of(l).handlers[p] }

// runLuaPhase runs a handler of the phases from server_rewrite to content and
// gives the answer for the phase engine.
func runLuaPhase(r *Request, h *luaHandler, p Phase) int {
	if luaLoc.of(r.Loc).needBody.v {
		if rc := r.ReadBody(nil); rc != rcOK {
			return rc
		}
	}
	w := enterLua(r)
	defer leaveLua(r)
	return runEntry(r, w, h, p)
}

// runEntry runs the handler's code as an entry thread with its light threads.
func runEntry(r *Request, w *Worker, h *luaHandler, p Phase) int {
	run := w.takeRun()
	run.ctx = LuaCtx{R: r, Phase: p, Worker: w}
	fn, rc := run.ctx.code(h)
	if rc != rcOK {
		run.end()
		return rc
	}
	if r.logs(LogDebug) {
		r.Logf(LogDebug, "lua %s handler, uri:\"%s\" c:1", p.String(), r.URI)
	}
	watch := watchClient(r, run)
	w.noteRun(run)
	_, failure, abort := run.call(fn)
	if watch != nil {
		watch.stop()
		run.spent = true // the watch may still look at it
	}
	w.forgetRun(run)
	run.end()
	switch {
	case abort != nil:
		return luaAborted(r, abort, p)
	case failure != nil:
		return luaFailed(r)
	}
	return luaEnded(r, p)
}

// errorText is an error's message as the log shows it.
func errorText(e *rt.Error) string {
	if e.Value.IsString() || e.Value.IsNumber() {
		return e.Error()
	}
	return "unknown reason"
}

// entryTraceback gives a traceback ngx_lua's form, which names the coroutine.
func entryTraceback(e *rt.Error) string {
	return strings.Replace(e.Traceback, "stack traceback:", "stack traceback:\ncoroutine 0:", 1)
}

// luaFailed is the answer of a handler that ended with an error.
func luaFailed(r *Request) int {
	if r.HeadersSent {
		return rcError
	}
	return 500
}

// luaEnded is the answer of a handler that came to its end, or to
// ngx.exit(ngx.OK).
func luaEnded(r *Request, p Phase) int {
	if p == PhaseContent {
		return luaFinishOutput(r)
	}
	if r.HeadersSent { // output that is only kept back (HTTP/1.0) ends nothing
		if rc := luaFinishOutput(r); rc != rcOK {
			return rc
		}
		return 200
	}
	if p == PhaseAccess {
		return rcOK
	}
	return rcDeclined
}

// luaAborted acts on what unwound a handler.
func luaAborted(r *Request, abort rt.Abort, p Phase) int {
	switch a := abort.(type) {
	case luaExit:
		return luaExited(r, a.code, p)
	case luaCut:
		return rcError
	case luaExec:
		if strings.HasPrefix(a.uri, "@") {
			name, _, _ := strings.Cut(a.uri, "?")
			return r.NamedRedirect(name)
		}
		rc := r.InternalRedirect(a.uri, a.args)
		r.emptyArgs = a.hasArgs
		return rc
	case luaJump:
		luaClear(r)
		return rcDeclined
	case *guard.Defect: // logged
		return luaFailed(r)
	}
	r.Logf(LogErr, "lua handler aborted: %v", abort)
	return luaFailed(r)
}

// luaExited is the answer after ngx.exit(code)
// (ngx_http_lua_handle_exit).
func luaExited(r *Request, code int, p Phase) int {
	r.Logf(LogDebug, "lua exit with code %d", code)
	if !r.HeadersSent && r.Out.Status == 0 && code >= 200 {
		r.Out.Status = code
	}
	silent := code == rcError || code == statusRequestTimeout || code == statusClientClosed || code == statusClose
	if luaNote.of(r).buffering && r.Out.Status != 0 && !silent {
		if rc := luaFinishOutput(r); rc != rcOK {
			return rc
		}
		if code >= 200 {
			return 200
		}
		return code
	}
	if code == rcOK && p == PhaseContent || code >= 200 && code < 300 && code != 204 {
		if rc := luaFinishOutput(r); rc != rcOK {
			return rc
		}
		if code > rcOK {
			return 200
		}
	}
	switch {
	case code == rcOK && p != PhaseContent, code == rcDeclined && p != PhaseContent && p != PhaseAccess:
		return luaEnded(r, p)
	case code == rcDeclined && p == PhaseContent && (!r.HeadersSent || r.outputEnded):
		return rcOK
	case code == rcDeclined && p == PhaseAccess:
		return rcDeclined
	case code == 204 && r.outputEnded:
		return 200
	case r == r.Main && r.HeadersSent && !r.outputEnded && (code < 200 || code == 204) && code != rcOK:
		return rcError // a code that means nothing: what has not been sent is lost
	}
	return code
}

// luaContent is the content handler of a location with content_by_lua.
func luaContent(r *Request) int {
	h := luaHandlerOf(r.Loc, PhaseContent)
	if h == nil {
		return rcDeclined
	}
	return runLuaPhase(r, h, PhaseContent)
}

// runFilter runs a handler that may not wait, on a thread of its own. exit is
// what the code gave to ngx.exit; rc is a status when it did not run to its
// end. use, when not nil, is called before and after with the context.
func runFilter(r *Request, h *luaHandler, p Phase, use func(ctx *LuaCtx)) (results []rt.Value, exit, rc int) {
	w := enterLua(r)
	defer leaveLua(r)
	run := w.takeRun()
	defer run.end()
	run.ctx = LuaCtx{R: r, Phase: p, Worker: w}
	fn, rc := run.ctx.code(h)
	if rc != rcOK {
		return nil, rcOK, rc
	}
	if use != nil {
		use(&run.ctx)
	}
	results, failure, abort := run.call(fn)
	if failure != nil && abort == nil {
		rc = 500
	}
	if use != nil {
		use(&run.ctx)
	}
	if run.ctx.Exited {
		exit = run.ctx.Exit
	} else if a, ok := abort.(luaExit); ok {
		exit = a.code
	}
	return results, exit, rc
}

// luaHeader runs header_filter_by_lua. ngx.exit in it sends an error page instead
// of this response (ngx_http_lua_header_filter).
func luaHeader(r *Request) int {
	h := luaHandlerOf(r.Loc, PhaseHeaderFilter)
	if h == nil {
		return rcOK
	}
	r.Logf(LogDebug, "lua header filter for user lua code, uri \"%s\"", r.URI)
	_, exit, rc := runFilter(r, h, PhaseHeaderFilter, nil)
	l := luaNote.of(r)
	switch {
	case rc != rcOK:
		return rcError
	case exit == rcOK || exit == rcDeclined || l.filterExit && exit > rcOK:
		return rcOK
	case exit > rcOK:
		l.filterExit = true
		return r.filterFinalize("lua", exit)
	}
	return rcError
}

// luaBody runs body_filter_by_lua on a piece of the body. What a script makes
// empty goes no further unless it ends or flushes the body
// (ngx_http_lua_body_filter).
func luaBody(r *Request, p []byte, flags int, next filterPlace) int {
	h := luaHandlerOf(r.Loc, PhaseBodyFilter)
	if h == nil || r.HeaderOnly {
		return next.pass(r, p, flags)
	}
	if l := luaNote.get(r); l != nil && l.bodyEnded { // the script has set ngx.arg[2]: the rest is dropped
		return rcOK
	}
	if r.logs(LogDebug) {
		r.Logf(LogDebug, "lua body filter for user lua code, uri \"%s\"", r.URI)
	}
	first := true
	eof := flags&outLast != 0
	results, code, rc := runFilter(r, h, PhaseBodyFilter, func(ctx *LuaCtx) {
		if first {
			ctx.Chunk, ctx.EOF, first = p, eof, false
			return
		}
		p, eof = ctx.Chunk, ctx.EOF
	})
	if len(results) > 0 && results[0].IsNumber() {
		code = int(results[0].Num())
	}
	if rc != rcOK || code == rcError || code >= 300 {
		if r != r.Main { // a filter that fails is the end of the connection
			r.Main.killed = rcError
		}
		return rcError
	}
	flags &^= outLast
	if eof {
		flags |= outLast
		luaNote.of(r).bodyEnded = true
	}
	if len(p) == 0 && flags == 0 {
		return rcOK
	}
	return next.pass(r, p, flags)
}

// luaLog runs log_by_lua.
func luaLog(r *Request) int {
	r.Logf(LogDebug, "lua log handler, uri:\"%s\" c:0", r.URI)
	runFilter(r, luaHandlerOf(r.Loc, PhaseLog), PhaseLog, nil)
	return rcOK
}

// setLuaOp is set_by_lua* in a rewrite script.
type setLuaOp struct {
	index   int
	handler *luaHandler
	args    []template
}

func (o *setLuaOp) exec(r *Request) int {
	args := make([]string, len(o.args))
	for i := range o.args {
		args[i] = o.args[i].eval(r)
	}
	results, _, rc := runFilter(r, o.handler, PhaseSet, func(ctx *LuaCtx) { ctx.SetArgs = args })
	if rc != rcOK {
		r.scriptStatus = 500
		return stopScript
	}
	value := ""
	if len(results) > 0 {
		value = luaVarText(results[0])
	}
	r.setIndexed(o.index, value)
	return 0
}

// luaVarText is the text a variable gets from a result of set_by_lua; values
// that are no text give "".
func luaVarText(v rt.Value) string {
	switch {
	case v.IsString():
		return v.Str()
	case v.IsNumber():
		return rt.NumberString(v.Num())
	}
	return ""
}
