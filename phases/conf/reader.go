package conf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// maxIncludeDepth stops a file that includes itself. nginx stops when it runs
// out of file descriptors and reports that, so the message is the same.
const maxIncludeDepth = 512

// reader builds the tree of one configuration.
type reader struct {
	tree  *Tree
	dir   string // includes are relative to it
	depth int    // of includes
	opts  Options
	table string // the block whose lines are a module's own, "" outside of one
}

// tables are the blocks whose lines are no directives.
var tables = map[string]bool{"charset_map": true, "geo": true, "map": true, "split_clients": true, "types": true}

func (r *reader) remember(name string, data []byte, builtin bool) {
	for _, f := range r.tree.Files {
		if f.Name == name {
			return
		}
	}
	r.tree.Files = append(r.tree.Files, File{name, data, builtin})
}

func (r *reader) scan(name string, data []byte) *scanner {
	short := name
	if rest, ok := strings.CutPrefix(name, r.dir+"/"); ok {
		short = rest
	}
	return &scanner{src: string(data), file: name, shortFile: short, line: 1}
}

// block reads directives into list up to the end of the file or, when outer is not
// nil, to the closing brace of its block. An error is also left in the list, where it
// happened.
func (r *reader) block(s *scanner, list *[]*Directive, outer *Directive) *Error {
	nested := outer != nil
	fail := func(e *Error) *Error {
		*list = append(*list, &Directive{File: e.File, Line: e.Line, Err: e})
		return e
	}
	for {
		words, end, err := s.next()
		if err != nil {
			return fail(err)
		}
		switch end {
		case endFile:
			if nested {
				return fail(s.errorf(s.line, `unexpected end of file, expecting "}"`))
			}
			return nil
		case endClose:
			if !nested {
				return fail(s.unexpected('}'))
			}
			return nil
		case endOpen:
			if s.param {
				return fail(s.errorf(s.line, "block directives are not supported in -g option"))
			}
		}
		d := newDirective(s, words)
		d.HasBlock = end == endOpen
		if d.Name == "include" && r.includes(d) {
			if err := r.include(d, list); err != nil && !r.opts.GoOn {
				return err
			}
			continue
		}
		*list = append(*list, d)
		if !d.HasBlock {
			continue
		}
		if strings.HasSuffix(d.Name, "_by_lua_block") {
			d.IsLua = true
			d.LuaAt = s.at(s.pos)
			if d.Lua, err = s.luaBlock(); err != nil {
				d.Block = []*Directive{{File: err.File, Line: err.Line, Err: err}}
				return err
			}
		} else if err := r.inner(s, d); err != nil {
			return err
		}
		d.EndLine = s.line
	}
}

func newDirective(s *scanner, words []word) *Directive {
	d := &Directive{Name: words[0].text, File: s.file, ShortFile: s.shortFile, Line: s.line}
	places := make([]Pos, 2*len(words))
	d.Pos, d.Text = places[:len(words)], places[len(words):]
	if len(words) > 1 {
		d.Args = make([]string, len(words)-1)
	}
	for i, w := range words {
		d.Pos[i], d.Text[i] = w.pos, w.start
		if i > 0 {
			d.Args[i-1] = w.text
		}
	}
	return d
}

// inner reads the block of d.
func (r *reader) inner(s *scanner, d *Directive) *Error {
	if r.table == "" && tables[d.Name] {
		r.table = d.Name
		defer func() { r.table = "" }()
	}
	return r.block(s, &d.Block, d)
}

// includes tells whether a line called include is one: split_clients and charset_map have
// it for a value, and other tables count its arguments themselves.
func (r *reader) includes(d *Directive) bool {
	switch r.table {
	case "":
		return true
	case "charset_map", "split_clients":
		return false
	}
	return len(d.Args) == 1 && !d.HasBlock
}

// include reads the files that d names into list.
func (r *reader) include(d *Directive, list *[]*Directive) *Error {
	fail := func(e *Error) *Error {
		*list = append(*list, &Directive{File: e.File, Line: e.Line, Err: e})
		return e
	}
	if d.HasBlock {
		return fail(d.Errorf(`directive "include" is not terminated by ";"`))
	}
	if len(d.Args) != 1 {
		return fail(d.Errorf(`invalid number of arguments in "include" directive`))
	}
	path := d.Args[0]
	if !filepath.IsAbs(path) {
		path = r.dir + "/" + path
	}
	path = r.opts.Map.Local(path)
	files := []string{path}
	if r.table != "geo" && strings.ContainsAny(path, "*?[") { // geo names one file
		var err error
		if files, err = glob(path); err != nil {
			return fail(d.Errorf(`glob() "%s" failed`, path))
		}
	}
	if r.depth++; r.depth > maxIncludeDepth {
		return fail(d.Errorf(`open() "%s" failed (24: Too many open files)`, path))
	}
	defer func() { r.depth-- }()
	var first *Error
	for _, f := range files {
		data, builtin, err := r.read(d, f)
		if err == nil {
			r.remember(f, data, builtin)
			err = r.block(r.scan(f, data), list, nil)
		} else {
			err = fail(err)
		}
		if err != nil && !r.opts.GoOn {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// read returns the text of a file that d includes, and whether that is a built-in one.
func (r *reader) read(d *Directive, name string) ([]byte, bool, *Error) {
	data, err := os.ReadFile(name)
	if builtin := builtinFile(name); builtin != nil && errors.Is(err, fs.ErrNotExist) {
		note := d.Errorf(`"%s" is not there: the list that is built in takes its place`, name)
		note.Level = "notice"
		r.tree.Notes = append(r.tree.Notes, note)
		return builtin, true, nil
	}
	if err != nil {
		e := openError(name, err)
		e.File, e.Line, e.Outside = d.File, d.Line, true
		return nil, false, e
	}
	return data, false, nil
}

// glob finds files as glob(3) does: sorted, "[!a]" negates, and a name that
// starts with a dot needs a pattern that does.
func glob(pattern string) ([]string, error) {
	matches, err := filepath.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil {
		return nil, err
	}
	want := strings.Split(filepath.Clean(pattern), "/")
	kept := matches[:0]
	for _, m := range matches {
		if !hiddenMatch(want, strings.Split(m, "/")) {
			kept = append(kept, m)
		}
	}
	sort.Strings(kept)
	return kept, nil
}

// hiddenMatch tells whether a wildcard at the start of a path element matched a
// leading dot.
func hiddenMatch(pattern, path []string) bool {
	for i, elem := range path {
		if strings.HasPrefix(elem, ".") && i < len(pattern) && !strings.HasPrefix(pattern[i], ".") {
			return true
		}
	}
	return false
}

// openError words a failure to read a file as nginx does.
func openError(path string, err error) *Error {
	call := "open()"
	reason := err.Error()
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		if pathErr.Op == "read" {
			call = "read()"
		}
		reason = Errno(pathErr.Err)
	}
	return &Error{Msg: call + ` "` + path + `" failed (` + reason + `)`}
}
