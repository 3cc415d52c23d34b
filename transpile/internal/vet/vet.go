// Package vet finds mistakes that compile: they are certain from the text, or so
// nearly that a reader would call them mistakes too. It looks at a whole program,
// because a global may be set in another chunk and a function in a module may be
// called from a phase where what it does is refused.
//
// A finding is silenced by a comment on its line, or on a line of its own above:
//
//	-- moonphase:ignore          all findings
//	-- moonphase:ignore L3001    findings with these codes
//
// `-- luacheck: ignore` does as well.
package vet

import (
	"fmt"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/front"
)

// Chunk is a bound chunk and where it comes from.
type Chunk struct {
	Tree   *ast.Chunk
	Module string // the name it is required by, "" when it is not a module
	// Directives are the *_by_lua* directives that run it.
	Directives []string
	// File, Line and Col place the chunk's first byte; Col 0: columns of its
	// first line are not known.
	File      string
	Line, Col int
}

// Surroundings are what the chunks cannot tell.
type Surroundings struct {
	// SharedDicts are the names of lua_shared_dict; nil: not known.
	SharedDicts []string
	// CheckRegex says why ngx.re refuses a pattern; nil: not checked.
	CheckRegex func(pattern, options string) error
}

// Check looks at all chunks of a program.
func Check(chunks []*Chunk, around Surroundings) []diag.Diagnostic {
	p := &program{
		around: around, modules: map[string]*unit{}, written: map[string]bool{}, handlers: map[*ast.Func]bool{},
	}
	for _, c := range chunks {
		u := newUnit(c)
		p.units = append(p.units, u)
		if c.Module != "" {
			p.modules[c.Module] = u
		}
		p.collectWrites(u)
	}
	for _, u := range p.units {
		p.unit = u
		p.checkText()
		p.checkSurroundings()
		p.checkGlobals()
		p.checkLoadTime()
		p.checkContexts()
	}
	diag.Sort(p.found)
	return p.found
}

// program is the state of a check.
type program struct {
	around  Surroundings
	units   []*unit
	modules map[string]*unit
	written map[string]bool // globals, and paths below ngx, that some chunk assigns
	unit    *unit           // the chunk that is looked at
	found   []diag.Diagnostic
	// handlers are the timer handlers that were followed.
	handlers map[*ast.Func]bool
}

// unit is a chunk with what is derived from it.
type unit struct {
	*Chunk
	exports  map[string]*ast.Func // functions of the table it returns
	table    *ast.Local           // the local that holds that table
	silenced front.Silences
	seen     map[report]bool // uses of the API that are reported already
}

// report is a finding about a place that several calls can lead to.
type report struct {
	pos  ast.Pos
	code diag.Code
}

func newUnit(c *Chunk) *unit {
	u := &unit{Chunk: c, silenced: front.SilencesOf(c.Tree.Comments), seen: map[report]bool{}}
	u.findExports()
	return u
}

// isModule: it is loaded by require and nothing else.
func (u *unit) isModule() bool { return u.Module != "" && len(u.Directives) == 0 }

// isScript: a plain script, not run by a directive.
func (u *unit) isScript() bool { return u.Module == "" && len(u.Directives) == 0 }

// warn adds a finding about the current chunk.
func (p *program) warn(code diag.Code, pos ast.Pos, length int, help, format string, args ...any) *diag.Diagnostic {
	if p.unit.silenced.Cover(pos.Line, code) {
		return &diag.Diagnostic{}
	}
	line, col := p.unit.place(pos)
	if col == 0 {
		length = 0
	}
	p.found = append(p.found, diag.Diagnostic{
		Code: code, Severity: diag.Warning, File: p.unit.File, Line: line, Col: col, Len: length,
		Msg: fmt.Sprintf(format, args...), Help: help,
	})
	return &p.found[len(p.found)-1]
}

// place maps a position of the chunk to its file.
func (u *unit) place(pos ast.Pos) (line, col int) {
	line, col = pos.Line+u.Line-1, pos.Col
	if pos.Line == 1 {
		if u.Col == 0 {
			return line, 0
		}
		col += u.Col - 1
	}
	return line, col
}

// note adds a second place to a finding.
func (u *unit) note(d *diag.Diagnostic, pos ast.Pos, msg string) {
	line, col := u.place(pos)
	d.Notes = append(d.Notes, diag.Related{File: u.File, Line: line, Col: col, Msg: msg})
}
