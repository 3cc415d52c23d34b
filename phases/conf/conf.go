// Package conf reads the syntax of an nginx.conf: words, quotes, escapes,
// comments, blocks, includes and Lua blocks. It knows no directive but include
// and the names that end in _by_lua_block, expands no variable and checks no
// argument count; package phases gives the tree its meaning.
//
// The texts and line numbers of errors are those of nginx 1.22.1 and ngx_lua
// 0.10.23 (measured with nginx -t; see testdata and conf_test.go), because tests
// and tools look for them. nginx executes a directive as soon as it has read it,
// so an unknown directive in line 3 is reported before a missing brace in line 9.
// To keep that order a tree that could not be read to its end is returned
// together with the error, and its last directive carries the error in Err.
package conf

import "fmt"

// Pos is a place in a configuration file. Both numbers count from 1; Col counts
// bytes.
type Pos struct {
	Line, Col int
}

// Directive is one directive with everything between its name and its
// terminator.
type Directive struct {
	Name string
	Args []string // without the name; quotes and escapes are resolved
	Pos  []Pos    // of the name and of each argument
	// Text says where the text of the name and of each argument starts, which
	// is behind the quote if there is one. Col is 0 when escapes were resolved:
	// columns in the argument are not columns in the file then.
	Text []Pos

	HasBlock bool         // the directive ended in "{", not in ";"
	Block    []*Directive // its content, empty for a Lua block

	IsLua bool   // the block is a *_by_lua_block
	Lua   string // the text between its braces, verbatim
	LuaAt Pos    // of its first byte

	File string // "" for text that came from the command line
	// Name of the file in chunk names: relative to the main file's folder when
	// it is in there.
	ShortFile string
	// Line is the line nginx names in errors about the directive: where its
	// ";" or "{" stands. EndLine is the line of the closing "}".
	Line, EndLine int

	// Err is set on a directive without a name: reading stopped here.
	Err *Error
}

// Error is a complaint about a place in the configuration.
type Error struct {
	Msg  string
	File string // "" when the place is the command line (option -g)
	Line int    // 0 when the error has no place
	// Level is the severity nginx logs it with, "" for "emerg".
	Level string
	// Outside is set when nothing is wrong with the configuration itself: a file is
	// not there, a name cannot be resolved. On another machine it may be good.
	Outside bool
}

// Error renders e as nginx does, without the level.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Msg
	case e.File == "":
		return e.Msg + " in command line"
	}
	return fmt.Sprintf("%s in %s:%d", e.Msg, e.File, e.Line)
}

// Errorf returns an error that stands where d stands.
func (d *Directive) Errorf(format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), File: d.File, Line: d.Line}
}

// File is a file that was read, as nginx -T prints it.
type File struct {
	Name string
	Data []byte
	// Builtin: there is no such file, the text is one that is built in.
	Builtin bool
}

// Tree is a configuration with its includes resolved.
type Tree struct {
	Directives []*Directive
	Files      []File // in the order of their first use
	// Notes are what a reader of the configuration should know and nginx has no word
	// for.
	Notes []*Error
}

// ParseFile reads the configuration file at path as a server does.
func ParseFile(path string) (*Tree, error) { return Options{}.ParseFile(path) }

// Parse reads a configuration that is already in memory. Its errors name it as
// name; includes are relative to dir.
func Parse(name, dir string, data []byte) (*Tree, error) {
	r := &reader{tree: &Tree{}, dir: dir}
	return r.tree, r.result(r.parse(name, data))
}

// ParseParam reads directives given on the command line (option -g). Blocks are
// not allowed there.
func ParseParam(text string) (*Tree, error) {
	r := &reader{tree: &Tree{}}
	s := &scanner{src: text, line: 1, param: true}
	err := r.block(s, &r.tree.Directives, nil)
	return r.tree, r.result(err)
}

// result turns a nil *Error into a nil error.
func (r *reader) result(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (r *reader) parse(name string, data []byte) *Error {
	r.remember(name, data, false)
	return r.block(r.scan(name, data), &r.tree.Directives, nil)
}
