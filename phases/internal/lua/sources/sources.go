// Package sources compares the Lua in a binary with the files it was made from.
package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
)

// Checker compares the Lua in the binary with the files it was made from: nginx would
// run those. They are looked at when a configuration is read (start, -t, HUP), when a
// worker loads a file or a module for the first time, and never after that.
type Checker struct {
	Built   string // prefix of the build
	Modules []string
	Sealed  bool

	mu   sync.Mutex
	good map[string]fileState // files that are what the binary has, by path
}

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
	// Without are outermost blocks of the configuration that it leaves out (--ignore).
	Without []string
	// Map says where files are that the configuration names by another machine's paths; they are
	// read where it says (run --map). Paths that requests lead to stay as they are.
	Map conf.PathMap
}

// fileState tells that a file was not touched since.
type fileState struct {
	size         int64
	inode        uint64
	mtime, ctime syscall.Timespec
}

// New makes the checker of a binary.
func New(b Binary) *Checker {
	return &Checker{Built: b.Prefix, Modules: b.Modules, Sealed: b.Sealed, good: map[string]fileState{}}
}

// Errors of check, which its callers complete.
var (
	errGone    = errors.New("is no longer there, which this binary was built with")
	errChanged = errors.New("has changed since this binary was built")
)

// Rebuild follows every message about Lua that is not what the binary has.
const Rebuild = "(rebuild it)"

// Check compares the file at path with the chunk that was made from it. A nil or sealed
// receiver takes everything for good.
func (s *Checker) Check(c *rt.Chunk, path string) error {
	if s == nil || s.Sealed {
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

// Trusts reports that the files of the build need not be there.
func (s *Checker) Trusts() bool { return s != nil && s.Sealed }

func cannotRead(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return errGone
	}
	return fmt.Errorf("cannot be read (%s)", conf.Errno(err))
}

// ModuleIndex finds modules by name and by pattern.
type ModuleIndex struct {
	byName map[string]*rt.Chunk
	all    []*rt.Chunk
}

// NewModuleIndex makes the index of the modules in a set of chunks.
func NewModuleIndex(set rt.ChunkSet) *ModuleIndex {
	x := &ModuleIndex{byName: map[string]*rt.Chunk{}}
	for _, c := range set {
		if c.Module != "" {
			x.byName[c.Module] = c
			x.all = append(x.all, c)
		}
	}
	return x
}

// Match lists the modules that a name, or a pattern with *, stands for.
func (x *ModuleIndex) Match(name string) []*rt.Chunk {
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
