package phases

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
)

// Binary is what a built server knows of itself.
type Binary struct {
	Chunks  rt.ChunkSet // its Lua
	Version string      // of moonphase
	// Prefix is the server prefix (-p) it was built for. One that serves below
	// another prefix finds its Lua files there.
	Prefix string
	// Modules are names and globs of modules that were added by hand.
	Modules []string
	// Sealed: the Lua files of the build need not be there, nor be the same.
	Sealed bool
}

// sources compares the Lua in the binary with the files it was made from: nginx would
// run those. They are looked at when a configuration is read (start, -t, HUP), when a
// worker loads a file or a module for the first time, and never after that.
type sources struct {
	built   string // prefix of the build
	modules []string
	sealed  bool

	mu   sync.Mutex
	good map[string]fileState // files that are what the binary has, by path
}

// luaCode is the Lua of the binary.
type luaCode struct {
	// chunks is nil when nothing is looked up; else a directive whose code is not in it
	// is an error.
	chunks  rt.ChunkSet
	sources *sources // compares the code with its files; nil does not
}

// prepare gives the code to a configuration that is about to be read.
func (code luaCode) prepare(c *Cycle) { luaMain.of(c).luaCode = code }

// fileState tells that a file was not touched since.
type fileState struct {
	size         int64
	inode        uint64
	mtime, ctime syscall.Timespec
}

func newSources(b Binary) *sources {
	return &sources{built: b.Prefix, modules: b.Modules, sealed: b.Sealed, good: map[string]fileState{}}
}

// Errors of check, which its callers complete.
var (
	errGone    = errors.New("is no longer there, which this binary was built with")
	errChanged = errors.New("has changed since this binary was built")
)

// rebuild follows every message about Lua that is not what the binary has.
const rebuild = "(rebuild it)"

// check compares the file at path with the chunk that was made from it. A nil or sealed
// receiver takes everything for good.
func (s *sources) check(c *rt.Chunk, path string) error {
	if s == nil || s.sealed {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return cannotRead(err)
	}
	state := fileState{size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		state.inode, state.mtime, state.ctime = st.Ino, modified(st), changed(st)
	}
	s.mu.Lock()
	known, ok := s.good[path]
	s.mu.Unlock()
	if ok && known == state {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return cannotRead(err)
	}
	sum := sha256.Sum256(text)
	if hex.EncodeToString(sum[:]) != c.Hash {
		return errChanged
	}
	s.mu.Lock()
	s.good[path] = state
	s.mu.Unlock()
	return nil
}

// trusts: the files of the build need not be there.
func (s *sources) trusts() bool { return s != nil && s.sealed }

func cannotRead(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return errGone
	}
	return fmt.Errorf("cannot be read (%s)", conf.Errno(err))
}

// fileChunk finds the code of a Lua file by its path, nil when it is not compiled in.
func fileChunk(c *Cycle, path string) *rt.Chunk {
	m := luaMain.of(c)
	if chunk := m.chunks.Find(FileKey(path)); chunk != nil || m.sources == nil {
		return chunk
	}
	if rest, ok := strings.CutPrefix(path, c.Prefix); ok {
		return m.chunks.Find(FileKey(m.sources.built + rest))
	}
	return nil
}

// modulePath is where the file of a module is: a path below the prefix of the build is
// one below the prefix of this server, and so is a relative one.
func modulePath(c *Cycle, name string) string {
	path, built := strings.TrimPrefix(name, "@"), luaMain.of(c).sources.built
	if rest, ok := strings.CutPrefix(path, built); ok && built != "" {
		path = c.Prefix + rest
	}
	return filepath.Clean(fullPath(c.Prefix, path))
}

// checkModule compares a module with its file.
func checkModule(c *Cycle, chunk *rt.Chunk) error {
	s := luaMain.of(c).sources
	if s == nil || s.sealed {
		return nil
	}
	return s.check(chunk, modulePath(c, chunk.Name))
}

// moduleUse is a module with the Lua directive that leads to it; nil when it was added
// by hand.
type moduleUse struct {
	chunk *rt.Chunk
	by    *luaHandler
}

// checkSources compares everything that the configuration's Lua directives lead to
// with the files on disk. The constant paths of *_by_lua_file were looked at where they
// stand. The error is that of the first directive in the file that something is wrong
// with.
func checkSources(c *Cycle) error {
	if m := luaMain.of(c); m.sources == nil || m.sources.sealed || len(m.chunks) == 0 {
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
func checkUse(c *Cycle, u moduleUse, search *moduleSearch) error {
	path := modulePath(c, u.chunk.Name)
	if other := search.earlier(u.chunk.Module, path); other != "" {
		return fmt.Errorf("the Lua module \"%s\" is \"%s\" now, and \"%s\" in this binary", u.chunk.Module, other, path)
	}
	if err := luaMain.of(c).sources.check(u.chunk, path); err != nil {
		return fmt.Errorf("the Lua module \"%s\" (\"%s\") %w", u.chunk.Module, path, err)
	}
	return nil
}

// fail places an error at the directive that leads to the module.
func (u moduleUse) fail(err error) error {
	if u.by == nil {
		return &conf.Error{Msg: fmt.Sprintf("%v %s", err, rebuild)}
	}
	return u.by.ref.staleError(err)
}

// staleError places an error about the Lua of a directive.
func (c *ChunkRef) staleError(err error) error {
	return &conf.Error{Msg: fmt.Sprintf("%v %s, used by \"%s\"", err, rebuild, c.Directive), File: c.File, Line: c.Line}
}

// usedChunks lists the modules that the handlers can require, each once, with the first
// directive that leads to it. Files that a variable chooses from are compared here.
func usedChunks(c *Cycle) ([]moduleUse, error) {
	m := luaMain.of(c)
	var uses []moduleUse
	index := newModuleIndex(m.chunks)
	seen := map[*rt.Chunk]bool{}
	follow := func(chunk *rt.Chunk, by *luaHandler) {
		for work := []*rt.Chunk{chunk}; len(work) > 0; {
			next := work[len(work)-1]
			work = work[:len(work)-1]
			for _, name := range next.Requires {
				for _, m := range index.match(name) {
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
			if err := m.sources.check(chunk, path); err != nil {
				return nil, h.ref.staleError(fmt.Errorf("the Lua file \"%s\" %w", path, err))
			}
			follow(chunk, h)
		}
	}
	follow(&rt.Chunk{Requires: m.sources.modules}, nil)
	return uses, nil
}

// moduleIndex finds modules by name and by pattern.
type moduleIndex struct {
	byName map[string]*rt.Chunk
	all    []*rt.Chunk
}

func newModuleIndex(set rt.ChunkSet) *moduleIndex {
	x := &moduleIndex{byName: map[string]*rt.Chunk{}}
	for _, c := range set {
		if c.Module != "" {
			x.byName[c.Module] = c
			x.all = append(x.all, c)
		}
	}
	return x
}

// match lists the modules that a name, or a pattern with *, stands for.
func (x *moduleIndex) match(name string) []*rt.Chunk {
	if !strings.Contains(name, "*") {
		if c := x.byName[name]; c != nil {
			return []*rt.Chunk{c}
		}
		return nil
	}
	var list []*rt.Chunk
	for _, c := range x.all {
		if matchStars(name, c.Module) {
			list = append(list, c)
		}
	}
	return list
}

// matchStars reports whether text has the form of pattern, * standing for anything.
func matchStars(pattern, text string) bool {
	part, rest, star := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, part)
	if !star {
		return ok && text == ""
	}
	for ok {
		if part, rest, star = strings.Cut(rest, "*"); !star {
			return strings.HasSuffix(text, part)
		}
		_, text, ok = strings.Cut(text, part)
	}
	return false
}

// moduleSearch is where require looks for files under this configuration.
type moduleSearch struct {
	templates []string
	prefix    string
	folders   map[string]bool // whether the folder of a template exists
}

func newModuleSearch(c *Cycle) *moduleSearch {
	s := &moduleSearch{prefix: c.Prefix, folders: map[string]bool{}}
	path := luaPath(c)
	for t := range strings.SplitSeq(path, ";") {
		if t == "" {
			continue
		}
		s.templates = append(s.templates, t)
		s.folders[t] = isDir(s.folder(t))
	}
	return s
}

// folder is the constant part of a template up to its last slash.
func (s *moduleSearch) folder(template string) string {
	constant, _, _ := strings.Cut(template, "?")
	return fullPath(s.prefix, constant[:strings.LastIndexByte(constant, '/')+1]+".")
}

// earlier returns a file that require would take for the module before the one at
// path, "" when there is none.
func (s *moduleSearch) earlier(module, path string) string {
	name := strings.ReplaceAll(module, ".", "/")
	for _, t := range s.templates {
		if !s.folders[t] {
			continue
		}
		candidate := filepath.Clean(fullPath(s.prefix, strings.ReplaceAll(t, "?", name)))
		if candidate == path {
			return ""
		}
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate
		}
	}
	return ""
}
