package lua

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	rt "github.com/moonphase/moonphase/runtime"
)

// handler is one *_by_lua* directive, or the file that one with variables
// in its path came to.
type handler struct {
	ref   ChunkRef
	chunk *rt.Chunk
	path  core.Template // file form with variables
	index int           // place in worker.functions
}

// code gives the function that runs a handler: the worker's, or with
// lua_isolate_globals one whose globals end with the run. The status is as
// sharedCode gives it.
func (c *runCtx) code(h *handler) (rt.Value, int) {
	f, rc := c.sharedCode(h)
	if rc == core.OK && loc.Of(c.Location()).isolateGlobals.V {
		f = c.worker.state.Isolated(f)
	}
	return f, rc
}

// sharedCode finds the function of a handler in the worker. The status is not OK
// when there is none: 404 for a file that is not there, 503 for one that
// cannot be read, 500 for code that was not compiled in or is broken.
func (c *runCtx) sharedCode(h *handler) (rt.Value, int) {
	w := c.worker
	if !h.ref.HasVars {
		if f := w.functions[h.index]; f.IsFunction() {
			return f, core.OK
		}
		if h.chunk == nil { // a file that was not there at the start
			if status := c.missingFile(h.ref.Path); status != core.OK {
				return rt.Nil, status
			}
			return rt.Nil, c.notCompiled(h.ref.Path)
		}
		f, rc := c.load(h.chunk, h.ref.Name, h.ref.Path)
		if rc == core.OK {
			w.functions[h.index] = f
		}
		return f, rc
	}
	path := core.FullPath(w.cycle.Prefix, h.path.Eval(c.Request))
	if f, ok := w.files[path]; ok {
		return f, core.OK
	}
	chunk := fileChunk(w.cycle, path)
	if chunk == nil {
		if status := c.missingFile(path); status != core.OK {
			return rt.Nil, status
		}
		return rt.Nil, c.notCompiled(path)
	}
	f, rc := c.load(chunk, "@"+path, path)
	if rc == core.OK {
		w.files[path] = f
	}
	return f, rc
}

// notCompiled refuses a file that exists and that this binary does not have.
func (c *runCtx) notCompiled(path string) int {
	c.Logf(errlog.Err, "failed to load external Lua file \"%s\": it was not compiled into this binary %s", path, sources.Rebuild)
	return 500
}

// missingFile logs why a Lua file cannot be opened or read and gives the status for
// that; OK when the file is there.
func (c *runCtx) missingFile(path string) int {
	verb := "open"
	f, err := os.Open(path)
	if err == nil {
		verb = "read"
		_, err = f.Read(make([]byte, 1))
		f.Close()
		if err == nil || err == io.EOF {
			return core.OK
		}
	}
	text := err.Error()
	var pe *fs.PathError
	if errors.As(err, &pe) {
		text = conf.Strerror(pe.Err)
	}
	c.Logf(errlog.Err, "failed to load external Lua file \"%s\": cannot %s %s: %s", path, verb, path, text)
	if errors.Is(err, fs.ErrNotExist) {
		return 404
	}
	return 503
}

// load makes a chunk a function of the worker. A chunk with a syntax error
// says so now, at run time, as ngx_lua does; so does one whose file is not what was
// compiled.
func (c *runCtx) load(chunk *rt.Chunk, name, path string) (rt.Value, int) {
	w := c.worker
	if checker := main.Of(w.cycle).Sources; path != "" && !checker.Trusts() {
		if status := c.missingFile(path); status != core.OK {
			return rt.Nil, status
		}
		if err := checker.Check(chunk, path); err != nil {
			c.Logf(errlog.Err, "failed to load external Lua file \"%s\": it %v %s", path, err, sources.Rebuild)
			return rt.Nil, 500
		}
	}
	f := w.state.Load(chunk, name) // gives the chunk its name
	if text := w.state.ChunkError(chunk); text != "" {
		if path != "" {
			c.Logf(errlog.Err, "failed to load external Lua file \"%s\": %s", path, text)
		} else {
			c.Logf(errlog.Err, "failed to load inlined Lua code: %s", text)
		}
		return rt.Nil, 500
	}
	return f, core.OK
}
