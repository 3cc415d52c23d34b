package lower

import (
	"bytes"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// blankLines marks the lines of source that hold nothing but white space,
// counted from 1.
func blankLines(source []byte) []bool {
	blank := []bool{false}
	for _, line := range bytes.Split(source, []byte("\n")) {
		blank = append(blank, len(bytes.TrimSpace(line)) == 0)
	}
	return blank
}

// topComments makes the comment block at the start of the source the main
// function's doc comment, when an empty line or nothing sets it apart.
func (c *chunk) topComments(a *ast.Chunk) {
	first := a.Main.Body.End
	if len(a.Main.Body.Stmts) > 0 {
		first = a.Main.Body.Stmts[0].StmtPos()
	}
	for len(c.comments) > 0 && c.comments[0].Own && before(c.comments[0].Pos, first) {
		k := c.comments[0]
		if n := len(c.out.Doc); n > 0 && k.Pos.Line > 1 && c.blankAt(k.Pos.Line-1) {
			break
		}
		c.out.Doc = append(c.out.Doc, commentLines(k.Text)...)
		c.comments = c.comments[1:]
	}
}

func (c *chunk) blankAt(line int) bool {
	return line > 0 && line < len(c.blank) && c.blank[line]
}

func before(a, b ast.Pos) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
}

// comments carries over the comments and the empty line before pos.
func (f *fn) comments(pos ast.Pos) {
	c := f.c
	for len(c.comments) > 0 && before(c.comments[0].Pos, pos) {
		k := c.comments[0]
		c.comments = c.comments[1:]
		if k.Own && c.blankAt(k.Pos.Line-1) {
			f.emit(&ir.Blank{})
		}
		lines := commentLines(k.Text)
		for _, l := range lines {
			f.emit(&ir.Comment{Text: l, Trail: !k.Own && len(lines) == 1})
		}
	}
	if c.blankAt(pos.Line - 1) {
		f.emit(&ir.Blank{})
	}
}

// takeComments takes back the comments just carried over, as the doc comment of
// a function that is printed elsewhere.
func (f *fn) takeComments() []string {
	list := *f.buf
	i := len(list)
	for i > 0 {
		k, ok := list[i-1].(*ir.Comment)
		if !ok || k.Trail {
			break
		}
		i--
	}
	var doc []string
	for _, s := range list[i:] {
		doc = append(doc, s.(*ir.Comment).Text)
	}
	for i > 0 {
		if _, ok := list[i-1].(*ir.Blank); !ok {
			break
		}
		i--
	}
	*f.buf = list[:i]
	return doc
}

// commentLines splits a comment's text into the lines of Go comments.
func commentLines(text string) []string {
	if i := longBracket(text); i > 0 {
		text = strings.TrimSpace(text[i : len(text)-min(i, len(text)-i)])
	}
	text = strings.TrimLeft(text, "-") // a documentation comment begins with three
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.ToValidUTF8(strings.TrimRight(l, " \t\r"), "?")
	}
	return lines
}

// longBracket is the length of the long bracket that text starts with, or 0.
func longBracket(text string) int {
	if !strings.HasPrefix(text, "[") {
		return 0
	}
	i := 1
	for i < len(text) && text[i] == '=' {
		i++
	}
	if i < len(text) && text[i] == '[' && strings.HasSuffix(text, "]") {
		return i + 1
	}
	return 0
}
