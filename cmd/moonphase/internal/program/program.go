// Package program finds every chunk that a server or a script can run: the
// *_by_lua* code of an nginx.conf, the files it names, and every module that
// any of them requires, followed through to the end.
package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/transpile"
)

// Options say how to close the set of chunks.
type Options struct {
	// Prefix is the server prefix (-p), absolute, for $prefix and relative
	// Lua files; for scripts the working folder.
	Prefix string
	// Modules are names or globs of modules to add (--module), for names
	// that are computed at run time.
	Modules []string
	// Ignore are outermost blocks that are left out (--ignore): "stream".
	Ignore []string
	// Map says where files of the machine are that the configuration is for (--map).
	Map conf.PathMap
}

// Program is a closed set of chunks.
type Program struct {
	Chunks []transpile.Chunk
	// Refs are the Lua directives of the nginx.conf in file order.
	Refs []phases.ChunkRef
	// Findings are the mistakes met on the way, by file and position.
	Findings []transpile.Diagnostic
	// Refusal is what a server says of the configuration at start, nil when it serves it.
	Refusal error

	opt    Options
	path   searchPath
	native map[string]bool
	seen   map[string]bool // chunk keys
	// directives are the *_by_lua* directives that run a chunk, by its key.
	directives map[string][]string
	dicts      []string // of lua_shared_dict; nil without a configuration
	origin     map[string]origin
	maybe      map[string]bool // keys of chunks that nobody says will ever run
	told       map[*conf.Error]bool
}

// origin maps a position inside a chunk to the file it stands in.
type origin struct {
	file string
	line int // of the chunk's first line
	col  int // of the chunk's first byte; 0 when unknown
}

// FromConf collects what the nginx.conf at path can run. Mistakes in it are Findings, those
// of the configuration too; the error is one of reading it.
func FromConf(path string, opt Options) (*Program, error) {
	tree, err := conf.Options{Map: opt.Map, GoOn: true}.ParseFile(path)
	var ce *conf.Error
	if errors.As(err, &ce) && ce.Line == 0 {
		return nil, fmt.Errorf("[emerg] %w", err)
	}
	p, err := newProgram(opt)
	if err != nil {
		return nil, err
	}
	p.checkConf(tree, path)
	p.path = newSearchPath(luaPackagePath(tree.Directives), phases.DefaultLuaPath(), opt.Prefix, opt.Prefix)
	p.path.local = p.opt.Map.Local
	refs, errs := phases.FindChunks(tree.Directives, opt.Prefix)
	p.Refs = refs
	p.dicts = sharedDicts(tree.Directives)
	for _, err := range errs {
		if ce, ok := err.(*conf.Error); !ok || !p.told[ce] {
			p.Findings = append(p.Findings, ConfFinding(err))
		}
	}
	names := goNames(tree.Directives)
	for _, ref := range refs {
		p.addRef(ref, names[place{ref.File, ref.Line, ref.Directive}])
	}
	p.close()
	return p, nil
}

// FromScript collects what one plain script can run.
func FromScript(path string, opt Options) (*Program, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := newProgram(opt)
	if err != nil {
		return nil, err
	}
	p.path = newSearchPath(phases.DefaultScriptPath(), "", opt.Prefix, opt.Prefix)
	p.add(transpile.Chunk{Key: phases.FileKey(path), Name: "@" + path, File: path, Source: src}, origin{file: path, line: 1, col: 1})
	p.close()
	return p, nil
}

// FromFiles collects Lua files, each a chunk and a module of its own: a
// folder stands for all the .lua files below it, named by their path in it.
// Names in the result do not depend on the working folder.
func FromFiles(inputs []string, opt Options) (*Program, error) {
	p, err := newProgram(opt)
	if err != nil {
		return nil, err
	}
	p.path = newSearchPath(phases.DefaultScriptPath(), "", opt.Prefix, opt.Prefix)
	for _, in := range inputs {
		files, err := luaFiles(in)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			src, err := os.ReadFile(f.path)
			if err != nil {
				return nil, err
			}
			p.add(transpile.Chunk{Key: phases.FileKey(f.name), Name: "@" + f.name, Module: f.module, File: f.name, Source: src},
				origin{file: f.path, line: 1, col: 1})
		}
	}
	p.close()
	return p, nil
}

func newProgram(opt Options) (*Program, error) {
	p := &Program{
		opt: opt, native: map[string]bool{}, seen: map[string]bool{}, origin: map[string]origin{},
		directives: map[string][]string{}, maybe: map[string]bool{}, told: map[*conf.Error]bool{},
	}
	native, err := phases.NativeModules()
	for _, m := range native {
		p.native[m] = true
	}
	return p, err
}

// addRef adds the chunk of one *_by_lua* directive, under a Go name for
// inline code; a file form with variables adds every file it can name.
func (p *Program) addRef(ref phases.ChunkRef, goName string) {
	if ref.Path == "" {
		p.directives[ref.Key] = append(p.directives[ref.Key], ref.Directive)
		p.add(transpile.Chunk{Key: ref.Key, Name: ref.Name, GoName: goName, Source: []byte(ref.Source)},
			origin{ref.File, ref.SourceLine, ref.Col})
		return
	}
	if !ref.HasVars {
		delete(p.maybe, ref.Key)
		p.addFile(ref, ref.Path, ref.Key)
		return
	}
	local := ref
	local.Path = p.opt.Map.Local(ref.Path)
	files, err := local.Files()
	if err != nil || len(files) == 0 {
		p.find(ref, fmt.Sprintf("no Lua file matches %q of %q", ref.Path, ref.Directive))
	}
	for _, path := range files {
		path = p.opt.Map.Target(path)
		key := phases.FileKey(path)
		if !p.seen[key] {
			p.maybe[key] = true
		}
		p.addFile(ref, path, key)
	}
}

func (p *Program) addFile(ref phases.ChunkRef, path, key string) {
	p.directives[key] = append(p.directives[key], ref.Directive)
	local := p.opt.Map.Local(path)
	src, err := os.ReadFile(local)
	if err != nil {
		p.find(ref, fmt.Sprintf("cannot read the Lua file of \"%s\": %v", ref.Directive, err))
		return
	}
	p.add(transpile.Chunk{Key: key, Name: "@" + path, File: path, Source: src}, origin{local, 1, 1})
}

func (p *Program) find(ref phases.ChunkRef, msg string) {
	p.Findings = append(p.Findings, transpile.Diagnostic{
		Code: transpile.CodeMissingFile, Severity: transpile.Error, File: ref.File, Line: ref.Line, Msg: msg,
		Help: fmt.Sprintf("the server prefix is %s; -p sets another", p.opt.Prefix),
	})
}

func (p *Program) add(c transpile.Chunk, from origin) {
	if p.seen[c.Key] {
		return
	}
	p.seen[c.Key] = true
	p.origin[c.Key] = from
	sure, guessed := templatesIn(c.Source, filepath.Dir(p.path.abs(from.file)), p.path.dir)
	p.path.templates = append(p.path.templates, sure...)
	p.path.guessed = append(p.path.guessed, guessed...)
	p.Chunks = append(p.Chunks, c)
}

// Place maps a diagnostic about a chunk's own text to the file that the chunk
// stands in.
func (p *Program) Place(key string, d transpile.Diagnostic) transpile.Diagnostic {
	from := p.origin[key]
	d.File = from.file
	d.Line, d.Col = from.place(d.Line, d.Col)
	for i := range d.Notes {
		n := &d.Notes[i]
		n.File = from.file
		n.Line, n.Col = from.place(n.Line, n.Col)
	}
	return d
}

// place maps a position inside the chunk to one in the file.
func (o origin) place(line, col int) (int, int) {
	if line == 0 {
		return 0, 0
	}
	if line == 1 && col > 0 {
		if o.col == 0 {
			col = 0
		} else {
			col += o.col - 1
		}
	}
	return line + o.line - 1, col
}

// luaPackagePath is the last lua_package_path of the http level, `;;` when
// there is none.
func luaPackagePath(tree []*conf.Directive) string {
	value := ";;"
	for _, d := range tree {
		if d.Name != "http" {
			continue
		}
		for _, in := range d.Block {
			if in.Name == "lua_package_path" && len(in.Args) == 1 {
				value = in.Args[0]
			}
		}
	}
	return value
}

type luaFile struct {
	path   string // to read it
	name   string // for messages and keys
	module string
}

// luaFiles lists the Lua files that one argument names.
func luaFiles(input string) ([]luaFile, error) {
	info, err := os.Stat(input)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		base := filepath.Base(input)
		return []luaFile{{input, base, strings.TrimSuffix(base, ".lua")}}, nil
	}
	root, err := filepath.Abs(input)
	if err != nil {
		return nil, err
	}
	var files []luaFile
	err = filepath.WalkDir(input, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".lua" {
			return err
		}
		rel, err := filepath.Rel(input, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		module := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(rel, ".lua"), "/init"), "/", ".")
		files = append(files, luaFile{path, filepath.Base(root) + "/" + rel, module})
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	return files, err
}
