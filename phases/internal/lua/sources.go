package lua

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	rt "github.com/moonphase/moonphase/runtime"
)

// BinaryCode is the Lua of the binary.
type BinaryCode struct {
	// Chunks is nil when nothing is looked up; else a directive whose code is not in it
	// is an error.
	Chunks  rt.ChunkSet
	Sources *sources.Checker // compares the code with its files; nil does not
}

// Prepare gives the code to a configuration that is about to be read.
func (code BinaryCode) Prepare(c *core.Cycle) { main.Of(c).BinaryCode = code }

// fileChunk finds the code of a Lua file by its path, nil when it is not compiled in.
func fileChunk(c *core.Cycle, path string) *rt.Chunk {
	m := main.Of(c)
	if chunk := m.Chunks.Find(FileKey(path)); chunk != nil || m.Sources == nil {
		return chunk
	}
	if rest, ok := strings.CutPrefix(path, c.Prefix); ok {
		return m.Chunks.Find(FileKey(m.Sources.Built + rest))
	}
	return nil
}

// modulePath is where the file of a module is: a path below the prefix of the build is
// one below the prefix of this server, and so is a relative one.
func modulePath(c *core.Cycle, name string) string {
	path, built := strings.TrimPrefix(name, "@"), main.Of(c).Sources.Built
	if rest, ok := strings.CutPrefix(path, built); ok && built != "" {
		path = c.Prefix + rest
	}
	return filepath.Clean(core.FullPath(c.Prefix, path))
}

// checkModule compares a module with its file.
func checkModule(c *core.Cycle, chunk *rt.Chunk) error {
	s := main.Of(c).Sources
	if s == nil || s.Sealed {
		return nil
	}
	return s.Check(chunk, modulePath(c, chunk.Name))
}

// moduleUse is a module with the Lua directive that leads to it; nil when it was added
// by hand.
type moduleUse struct {
	chunk *rt.Chunk
	by    *handler
}

// checkSources compares everything that the configuration's Lua directives lead to
// with the files on disk. The constant paths of *_by_lua_file were looked at where they
// stand. The error is that of the first directive in the file that something is wrong
// with.
func checkSources(c *core.Cycle) error {
	if m := main.Of(c); m.Sources == nil || m.Sources.Sealed || len(m.Chunks) == 0 {
		return nil
	}
	uses, err := usedChunks(c)
	if err != nil {
		return err
	}
	search := newModuleSearch(c)
	errs := make([]error, len(uses))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range min(workers, len(uses)) {
		wg.Go(func() {
			for i := w; i < len(uses); i += workers {
				errs[i] = checkUse(c, uses[i], search)
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return uses[i].fail(err)
		}
	}
	return nil
}

// checkUse compares one module with its file, and with what require would find now.
func checkUse(c *core.Cycle, u moduleUse, search *moduleSearch) error {
	path := modulePath(c, u.chunk.Name)
	if other := search.earlier(u.chunk.Module, path); other != "" {
		return fmt.Errorf("the Lua module \"%s\" is \"%s\" now, and \"%s\" in this binary", u.chunk.Module, other, path)
	}
	if err := main.Of(c).Sources.Check(u.chunk, path); err != nil {
		return fmt.Errorf("the Lua module \"%s\" (\"%s\") %w", u.chunk.Module, path, err)
	}
	return nil
}

// fail places an error at the directive that leads to the module.
func (u moduleUse) fail(err error) error {
	if u.by == nil {
		return &conf.Error{Msg: fmt.Sprintf("%v %s", err, sources.Rebuild)}
	}
	return u.by.ref.staleError(err)
}

// staleError places an error about the Lua of a directive.
func (c *ChunkRef) staleError(err error) error {
	return &conf.Error{Msg: fmt.Sprintf("%v %s, used by \"%s\"", err, sources.Rebuild, c.Directive), File: c.File, Line: c.Line}
}

// usedChunks lists the modules that the handlers can require, each once, with the first
// directive that leads to it. Files that a variable chooses from are compared here.
func usedChunks(c *core.Cycle) ([]moduleUse, error) {
	m := main.Of(c)
	var uses []moduleUse
	index := sources.NewModuleIndex(m.Chunks)
	seen := map[*rt.Chunk]bool{}
	follow := func(chunk *rt.Chunk, by *handler) {
		for work := []*rt.Chunk{chunk}; len(work) > 0; {
			next := work[len(work)-1]
			work = work[:len(work)-1]
			for _, name := range next.Requires {
				for _, m := range index.Match(name) {
					if !seen[m] {
						seen[m] = true
						uses = append(uses, moduleUse{m, by})
						work = append(work, m)
					}
				}
			}
		}
	}
	for _, h := range m.handlers {
		if h.chunk != nil {
			follow(h.chunk, h)
		}
		if !h.ref.HasVars {
			continue
		}
		files, _ := h.ref.Files()
		for _, path := range files {
			chunk := fileChunk(c, path)
			if chunk == nil {
				continue // a request for it is told
			}
			if err := m.Sources.Check(chunk, path); err != nil {
				return nil, h.ref.staleError(fmt.Errorf("the Lua file \"%s\" %w", path, err))
			}
			follow(chunk, h)
		}
	}
	follow(&rt.Chunk{Requires: m.Sources.Modules}, nil)
	return uses, nil
}

// moduleSearch is where require looks for files under this configuration.
type moduleSearch struct {
	templates []string
	prefix    string
	folders   map[string]bool // whether the folder of a template exists
}

func newModuleSearch(c *core.Cycle) *moduleSearch {
	s := &moduleSearch{prefix: c.Prefix, folders: map[string]bool{}}
	path := luaPath(c)
	for t := range strings.SplitSeq(path, ";") {
		if t == "" {
			continue
		}
		s.templates = append(s.templates, t)
		s.folders[t] = core.IsDir(s.folder(t))
	}
	return s
}

// folder is the constant part of a template up to its last slash.
func (s *moduleSearch) folder(template string) string {
	constant, _, _ := strings.Cut(template, "?")
	return core.FullPath(s.prefix, constant[:strings.LastIndexByte(constant, '/')+1]+".")
}

// earlier returns a file that require would take for the module before the one at
// path, "" when there is none.
func (s *moduleSearch) earlier(module, path string) string {
	name := strings.ReplaceAll(module, ".", "/")
	for _, t := range s.templates {
		if !s.folders[t] {
			continue
		}
		candidate := filepath.Clean(core.FullPath(s.prefix, strings.ReplaceAll(t, "?", name)))
		if candidate == path {
			return ""
		}
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate
		}
	}
	return ""
}
