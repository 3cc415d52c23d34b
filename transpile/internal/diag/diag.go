// Package diag holds what the front end says about a chunk: one Diagnostic a
// mistake, with a code from a closed catalogue. Package transpile re-exports
// it; it lives here so that every pass can make one.
package diag

import (
	"cmp"
	"slices"
)

// Severity orders diagnostics; an Error keeps the chunk from being compiled.
type Severity uint8

const (
	Error Severity = iota
	Warning
	Note
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "note"
}

// Diagnostic is one finding at one place.
type Diagnostic struct {
	Code     Code
	Severity Severity
	File     string
	// Line and Col count from 1, Col in bytes; 0 is unknown. Len is how many
	// bytes of the line the finding covers, 0 when it is not known.
	Line, Col, Len int
	Msg            string
	Help           string
	Notes          []Related
	// Lua is what LuaJIT says when it refuses the chunk, after the chunk's
	// name: "12: '=' expected near 'x'". A broken chunk raises it at run time.
	// Its line can differ from Line: LuaJIT reports where it stood, not where
	// the mistake is. Empty when LuaJIT takes the chunk.
	Lua string
}

// Related points at a second place that explains a Diagnostic.
type Related struct {
	File      string
	Line, Col int
	Msg       string
}

// Compare orders by file, line, column and code.
func Compare(a, b Diagnostic) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Col, b.Col), cmp.Compare(a.Code, b.Code))
}

// Sort orders by Compare.
func Sort(ds []Diagnostic) { slices.SortStableFunc(ds, Compare) }

// HasErrors reports whether any of ds is an Error.
func HasErrors(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// LuaError is the text LuaJIT raises for the chunk, after the chunk's name and a
// colon; "" when LuaJIT takes it.
func LuaError(ds []Diagnostic) string {
	for _, d := range ds {
		if d.Lua != "" {
			return d.Lua
		}
	}
	return ""
}
