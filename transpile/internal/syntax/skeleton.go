package syntax

import (
	"bytes"
	"errors"
	"strings"

	gast "github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// skeleton writes the tokens for gopher-lua: names, numbers and strings as
// dummies, one token a line, so that a line number of its tree or of its error
// is a token's index plus one. `break` becomes a block of its own, because that
// grammar wants it last in its block and LuaJIT's (with 5.2 rules) does not.
func skeleton(tokens []token) []byte {
	var b bytes.Buffer
	b.Grow(4 * len(tokens))
	for _, t := range tokens {
		switch t.kind {
		case tkEOF:
		case tkName:
			b.WriteByte('a')
		case tkNumber:
			b.WriteByte('0')
		case tkString:
			b.WriteString("''")
		case tkBreak:
			b.WriteString("do break end")
		default:
			if t.kind < tkEOF && !strings.ContainsRune(punctuation, rune(t.kind)) {
				b.WriteByte('!') // no token of that parser either
				break
			}
			b.WriteString(t.kind.String())
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// punctuation has the tokens of one character that Lua knows.
const punctuation = "+-*/%^#<>=(){}[];:,."

// parseSkeleton runs the parser. at is the token it refused, -1 for none.
func parseSkeleton(f *file) (stmts []gast.Stmt, at int) {
	stmts, err := parse.Parse(bytes.NewReader(skeleton(f.tokens)), f.name)
	if err == nil {
		return stmts, -1
	}
	at = len(f.tokens) - 1
	var pe *parse.Error
	if errors.As(err, &pe) && 0 < pe.Pos.Line && pe.Pos.Line <= at {
		at = pe.Pos.Line - 1
	}
	return nil, at
}

// maxOpen is how deep brackets and blocks may nest before the parser is even
// asked. LuaJIT's own limit (200 levels) is lower for each of them, so such a
// chunk is wrong anyway; this keeps the parser's stack small.
const maxOpen = 400

// nestsTooDeep reports whether brackets or blocks open more than maxOpen deep.
func nestsTooDeep(tokens []token) bool {
	depth := 0
	for _, t := range tokens {
		switch t.kind {
		case '(', '{', '[', tkFunction, tkIf, tkDo, tkRepeat:
			if depth++; depth > maxOpen {
				return true
			}
		case ')', '}', ']', tkEnd, tkUntil:
			depth--
		}
	}
	return false
}
