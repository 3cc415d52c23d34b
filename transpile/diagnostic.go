package transpile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/source"
)

// Diagnostic is one finding about a chunk, at one place.
type Diagnostic = diag.Diagnostic

// Related points at a second place that explains a Diagnostic.
type Related = diag.Related

// Code names a kind of finding; see Codes.
type Code = diag.Code

// Severity orders findings: an Error keeps a chunk from being compiled.
type Severity = diag.Severity

const (
	Error   = diag.Error
	Warning = diag.Warning
	Note    = diag.Note
)

// Codes of findings that the command makes about what surrounds the chunks.
const (
	CodeConf           = diag.Conf
	CodeMissingFile    = diag.MissingFile
	CodeMissingModule  = diag.MissingModule
	CodeComputedModule = diag.ComputedModule
	CodeOutside        = diag.Outside
	CodeBuiltin        = diag.Builtin
	CodeAbsent         = diag.Absent
	CodeNoDirective    = diag.NoDirective
	CodeInclude        = diag.Include
	CodeLeftOut        = diag.LeftOut
	CodeUnknownModule  = diag.UnknownModule
)

// CompareDiagnostics orders by file, line, column and code.
func CompareDiagnostics(a, b Diagnostic) int { return diag.Compare(a, b) }

// LuaError is what LuaJIT says when it refuses the chunk that ds are about,
// after the chunk's name and a colon; "" when it takes it.
func LuaError(ds []Diagnostic) string { return diag.LuaError(ds) }

// maxPerFile keeps one broken Lua file from hiding all the others. What is wrong with a configuration is
// told whole.
const maxPerFile = 20

// WriteText writes findings for people and for editors: a line
// "file:line:col: message [code]", the source line with a caret, and what to do
// next. ds must be sorted; files are read for their lines, and a file that
// cannot be read just has no excerpt.
func WriteText(w io.Writer, ds []Diagnostic, color bool) {
	p := textWriter{w: w}
	if color {
		p.bold, p.mark, p.reset = "\x1b[1m", "\x1b[32m", "\x1b[0m"
	}
	for i := 0; i < len(ds); {
		n := i
		for n < len(ds) && ds[n].File == ds[i].File {
			n++
		}
		p.file(ds[i:n])
		i = n
	}
}

// textWriter holds the escape sequences in use; all are empty without colour.
type textWriter struct {
	w                 io.Writer
	bold, mark, reset string
	src               *source.File
}

// file writes the findings of one file.
func (p *textWriter) file(ds []Diagnostic) {
	p.src = nil
	if text, err := os.ReadFile(ds[0].File); err == nil {
		p.src = source.New(text)
	}
	more := 0
	for i, d := range ds {
		if i < maxPerFile || strings.HasPrefix(string(d.Code), "C") {
			p.finding(d)
		} else {
			more++
		}
	}
	if more > 0 {
		fmt.Fprintf(p.w, "%s: %d more\n", ds[0].File, more)
	}
}

func (p *textWriter) finding(d Diagnostic) {
	kind := ""
	if d.Severity != Error {
		kind = d.Severity.String() + ": "
	}
	fmt.Fprintf(p.w, "%s%s%s%s%s [%s]\n", p.bold, place(d.File, d.Line, d.Col), kind, d.Msg, p.reset, d.Code)
	p.excerpt(d)
	for _, n := range d.Notes {
		fmt.Fprintf(p.w, "   note: %s%s\n", place(n.File, n.Line, n.Col), n.Msg)
	}
	if d.Help != "" {
		fmt.Fprintf(p.w, "   help: %s\n", d.Help)
	}
}

// place is "file:line:col: " with the parts that are known.
func place(file string, line, col int) string {
	var b strings.Builder
	if file != "" {
		b.WriteString(file + ":")
	}
	if line > 0 {
		fmt.Fprintf(&b, "%d:", line)
		if col > 0 {
			fmt.Fprintf(&b, "%d:", col)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String()
}

// maxExcerpt is the longest line that is shown: generated and minified code is not.
const maxExcerpt = 240

// excerpt shows the line that d is about, with a caret under the column.
func (p *textWriter) excerpt(d Diagnostic) {
	if p.src == nil || d.Line == 0 {
		return
	}
	line := p.src.Line(d.Line)
	if len(bytes.TrimSpace(line)) == 0 || len(line) > maxExcerpt {
		return
	}
	fmt.Fprintf(p.w, "%5d | %s\n", d.Line, line)
	if d.Col < 1 || d.Col > len(line)+1 {
		return
	}
	covered := line[d.Col-1 : min(len(line), d.Col-1+d.Len)]
	tail := strings.Repeat("~", max(0, utf8.RuneCount(covered)-1))
	fmt.Fprintf(p.w, "      | %s%s^%s%s\n", blank(line[:d.Col-1]), p.mark, tail, p.reset)
}

// blank is as wide as text: its tabs stay, everything else becomes a space.
func blank(text []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(text))
}
