package lua

import (
	"crypto/md5"
	"encoding/hex"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
)

// ChunkRef is one *_by_lua* directive: which Lua code it runs, and under which
// names ngx_lua knows that code.
type ChunkRef struct {
	Phase     caller.Phase
	Directive string // as written: "content_by_lua_block"

	// Name is the chunk name: "=content_by_lua(nginx.conf:50)" or
	// "@/path/x.lua". Key is ngx_lua's cache key: the same code in two places
	// has one key and two names.
	Name, Key string

	Source string // inline code
	// Path of the file form: absolute, or with variables in it (HasVars) and
	// then without a Key; see Files and FileKey.
	Path    string
	HasVars bool

	File string
	Line int // the line in Name
	// SourceLine and Col are the place of Source's first byte in File. Col is
	// 0 when the code was written with escapes.
	SourceLine, Col int
}

// FileKey is the cache key of a file form. ngx_lua takes the path as written
// when it is constant and the absolute path when it holds variables.
func FileKey(path string) string { return "nhlf_" + md5Hex(path) }

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Files lists the files that exist and that Path can become: every .lua file
// under the folder in which the first variable stands.
func (c *ChunkRef) Files() ([]string, error) {
	if !c.HasVars {
		return []string{c.Path}, nil
	}
	constant := c.Path[:strings.IndexByte(c.Path, '$')]
	root := constant[:strings.LastIndexByte(constant, '/')+1]
	var list []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasPrefix(path, constant) && strings.HasSuffix(path, ".lua") {
			list = append(list, path)
		}
		return nil
	})
	sort.Strings(list)
	return list, err
}

// FindChunks lists the *_by_lua* directives of a configuration in file order.
// Relative paths of file forms start at prefix.
func FindChunks(tree []*conf.Directive, prefix string) ([]ChunkRef, []error) {
	var refs []ChunkRef
	var errs []error
	var walk func(list []*conf.Directive)
	walk = func(list []*conf.Directive) {
		for _, d := range list {
			if d.Err != nil {
				errs = append(errs, d.Err)
				continue
			}
			if _, _, ok := directiveOf(d.Name); ok {
				ref, err := chunkRefOf(d, prefix)
				if err != nil {
					errs = append(errs, err)
				} else {
					refs = append(refs, ref)
				}
			}
			if !opaqueBlocks[d.Name] {
				walk(d.Block)
			}
		}
	}
	walk(tree)
	return refs, errs
}

// opaqueBlocks hold values, not directives.
var opaqueBlocks = map[string]bool{
	"types": true, "map": true, "geo": true, "split_clients": true, "charset_map": true,
}

// luaForm is one of the three ways to write a Lua directive.
type luaForm int

const (
	luaInline luaForm = iota // content_by_lua '...'
	luaBlock                 // content_by_lua_block { ... }
	luaFile                  // content_by_lua_file x.lua
)

// directiveOf splits the name of a Lua directive into its phase and its form.
func directiveOf(name string) (caller.Phase, luaForm, bool) {
	form := luaInline
	tag := name
	if t, ok := strings.CutSuffix(name, "_block"); ok {
		form, tag = luaBlock, t
	} else if t, ok := strings.CutSuffix(name, "_file"); ok {
		form, tag = luaFile, t
	}
	if !strings.HasSuffix(tag, "_by_lua") {
		return 0, 0, false
	}
	p, ok := caller.ByTag(tag)
	return p, form, ok
}

// chunkRefOf describes the Lua directive d.
func chunkRefOf(d *conf.Directive, prefix string) (ChunkRef, error) {
	phase, form, ok := directiveOf(d.Name)
	if !ok {
		return ChunkRef{}, d.Errorf("%q is not a Lua directive", d.Name)
	}
	ref := ChunkRef{Phase: phase, Directive: d.Name, File: d.File, Line: d.Line}
	arg := 0 // of the code or the path
	if phase == caller.PhaseSet {
		arg = 1 // behind the variable
	}
	if form == luaBlock {
		ref.Source, ref.SourceLine, ref.Col = d.Lua, d.LuaAt.Line, d.LuaAt.Col
	} else {
		if len(d.Args) <= arg {
			return ref, d.Errorf("invalid number of arguments in %q directive", d.Name)
		}
		if form == luaFile {
			ref.setPath(d.Args[arg], prefix)
			return ref, nil
		}
		start := d.Text[arg+1]
		ref.Source, ref.SourceLine, ref.Col = d.Args[arg], start.Line, start.Col
	}
	if ref.Source == "" {
		err := d.Errorf("invalid location config: no runnable Lua code")
		err.Level = "error"
		return ref, err
	}
	tag := phase.Tag()
	ref.Name = inlineName(tag, d.ShortFile, d.Line)
	if phase == caller.PhaseSSLClientHello {
		ref.Name = "=" + tag // ngx_lua 0.10.23 gives this phase's code no place
	}
	ref.Key = tag + "_nhli_" + md5Hex(ref.Source)
	return ref, nil
}

// setPath fills in the file form.
func (c *ChunkRef) setPath(path, prefix string) {
	c.Path = path
	if !strings.HasPrefix(path, "/") {
		c.Path = strings.TrimSuffix(prefix, "/") + "/" + path
	}
	if c.HasVars = strings.Contains(path, "$") && c.Phase.HasVariables(); c.HasVars {
		return
	}
	c.Name = "@" + c.Path
	c.Key = FileKey(path)
}

// maxChunkName is the length ngx_lua cuts chunk names to, with the "=", so that
// LuaJIT does not cut them (LUA_IDSIZE).
const maxChunkName = 60

// inlineName is the chunk name of code that stands in a configuration file. Any
// file called nginx.conf is just that; of other long names the end is kept.
func inlineName(tag, file string, line int) string {
	if n := len(file) - len("/nginx.conf"); n >= 0 && strings.EqualFold(file[n:], "/nginx.conf") {
		file = file[n+1:]
	}
	tail := ":" + strconv.Itoa(line) + ")"
	room := maxChunkName - len("=") - len(tag) - len("(") - len(tail)
	if len(file) > room {
		file = "..." + file[len(file)-max(room-len("..."), 0):]
	}
	return "=" + tag + "(" + file + tail
}
