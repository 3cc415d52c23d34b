package syntax

import (
	"bytes"
	"unicode/utf8"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// lexer reads tokens as LuaJIT 2.1 does, its messages included.
type lexer struct {
	*file
	off       int
	line      int
	lineStart int // offset of the current line's first byte
	lastLine  int // line of the last token or comment, to tell comments that stand alone
	buf       []byte
}

// lex reads the whole source. The last token is tkEOF or tkBad.
func lex(name string, src []byte) *file {
	lx := &lexer{file: &file{name: name, src: src}, line: 1}
	lx.tokens = make([]token, 0, len(src)/4+2)
	lx.skipHeader()
	if bytes.HasPrefix(src[lx.off:], []byte("\x1bLJ")) {
		lx.fail(lx.start(), diag.Bytecode, "bytecode cannot be compiled", "")
		return lx.file
	}
	for lx.next() {
	}
	return lx.file
}

// skipHeader passes a UTF-8 byte order mark and a first line that starts with '#'.
func (lx *lexer) skipHeader() {
	if bytes.HasPrefix(lx.src, []byte("\xef\xbb\xbf")) {
		lx.off, lx.lineStart = 3, 3
	}
	if lx.peek(0) != '#' {
		return
	}
	for lx.off < len(lx.src) && !isEOL(lx.src[lx.off]) {
		lx.off++
	}
	if lx.off < len(lx.src) {
		lx.newline()
	}
}

// peek is the byte n places on, 0 past the end.
func (lx *lexer) peek(n int) byte {
	if lx.off+n < len(lx.src) {
		return lx.src[lx.off+n]
	}
	return 0
}

func (lx *lexer) atEnd() bool { return lx.off >= len(lx.src) }

func isEOL(c byte) bool   { return c == '\n' || c == '\r' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isIdent: every byte of a multi-byte character is a letter to LuaJIT.
func isIdent(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}

// newline passes a line end: \n, \r, \r\n or \n\r.
func (lx *lexer) newline() {
	c := lx.src[lx.off]
	lx.off++
	if n := lx.peek(0); isEOL(n) && n != c && !lx.atEnd() {
		lx.off++
	}
	lx.line++
	lx.lineStart = lx.off
}

func (lx *lexer) here() ast.Pos { return ast.Pos{Line: lx.line, Col: lx.off - lx.lineStart + 1} }

// start is a token that begins here.
func (lx *lexer) start() token { return token{pos: lx.here(), off: lx.off} }

// add ends t here and keeps it.
func (lx *lexer) add(t token, k kind) bool {
	t.kind, t.end, t.endLine = k, lx.off, lx.line
	lx.tokens = append(lx.tokens, t)
	lx.lastLine = lx.line
	return k != tkEOF && k != tkBad
}

// fail ends the token list at t.
func (lx *lexer) fail(t token, code diag.Code, msg, near string) bool {
	lx.err = &lexError{code: code, msg: msg, near: near, pos: t.pos, line: lx.line}
	return lx.add(t, tkBad)
}

// next reads one token, or a comment or blank; false after the last token.
func (lx *lexer) next() bool {
	if lx.atEnd() {
		return lx.add(lx.start(), tkEOF)
	}
	c := lx.src[lx.off]
	switch {
	case isEOL(c):
		lx.newline()
		return true
	case isSpace(c):
		lx.off++
		return true
	case isDigit(c) || c == '.' && isDigit(lx.peek(1)):
		return lx.number()
	case isIdent(c):
		return lx.word()
	}
	switch c {
	case '-':
		if lx.peek(1) == '-' {
			return lx.comment()
		}
	case '"', '\'':
		return lx.quoted(c)
	case '[':
		if n := lx.peek(1); n == '[' || n == '=' {
			return lx.longString()
		}
	}
	return lx.operator(c)
}

func (lx *lexer) word() bool {
	t := lx.start()
	for !lx.atEnd() && isIdent(lx.src[lx.off]) {
		lx.off++
	}
	t.str = string(lx.src[t.off:lx.off])
	if k, ok := keywords[t.str]; ok {
		return lx.add(t, k)
	}
	return lx.add(t, tkName)
}

// operators of two characters; the three dots are handled apart.
var operators = [...]struct {
	text string
	kind kind
}{{"==", tkEq}, {">=", tkGe}, {"<=", tkLe}, {"~=", tkNe}, {"::", tkLabel}}

// operator reads punctuation. Any other byte is a token of its own, which the
// parser then refuses.
func (lx *lexer) operator(c byte) bool {
	t := lx.start()
	rest := lx.src[lx.off:]
	if c == '.' && lx.peek(1) == '.' {
		if lx.peek(2) == '.' {
			lx.off += 3
			return lx.add(t, tkDots)
		}
		lx.off += 2
		return lx.add(t, tkConcat)
	}
	for _, o := range operators {
		if bytes.HasPrefix(rest, []byte(o.text)) {
			lx.off += 2
			return lx.add(t, o.kind)
		}
	}
	lx.off++
	return lx.add(t, kind(c))
}

func (lx *lexer) comment() bool {
	t := lx.start()
	own := lx.lastLine != lx.line
	lx.off += 2
	from, to := lx.off, 0
	if lx.peek(0) == '[' {
		if level, ok := lx.longOpen(); ok {
			if _, ok := lx.longBody(level, false); !ok {
				return lx.fail(t, diag.BadLong, "unfinished long comment", tkEOF.String())
			}
			to = lx.off
		}
	}
	if to == 0 {
		for !lx.atEnd() && !isEOL(lx.src[lx.off]) {
			lx.off++
		}
		to = lx.off
	}
	lx.comments = append(lx.comments, ast.Comment{
		Pos: t.pos, End: lx.here(), Own: own, Text: string(lx.src[from:to]),
	})
	lx.lastLine = lx.line
	return true
}

// longOpen passes `[`, any `=` and a second `[`. Without the second `[` it
// stops there and says no.
func (lx *lexer) longOpen() (level int, ok bool) {
	lx.off++
	for lx.peek(0) == '=' {
		lx.off++
		level++
	}
	if lx.peek(0) != '[' {
		return level, false
	}
	lx.off++
	return level, true
}

// longBody reads up to the closing bracket of that level; line ends become \n.
func (lx *lexer) longBody(level int, keep bool) (string, bool) {
	if !lx.atEnd() && isEOL(lx.src[lx.off]) {
		lx.newline()
	}
	lx.buf = lx.buf[:0]
	for !lx.atEnd() {
		c := lx.src[lx.off]
		if c == ']' {
			n := 1
			for lx.peek(n) == '=' {
				n++
			}
			if n-1 == level && lx.peek(n) == ']' {
				lx.off += n + 1
				return string(lx.buf), true
			}
		}
		if isEOL(c) {
			lx.newline()
			c = '\n'
		} else {
			lx.off++
		}
		if keep {
			lx.buf = append(lx.buf, c)
		}
	}
	return "", false
}

func (lx *lexer) longString() bool {
	t := lx.start()
	level, ok := lx.longOpen()
	if !ok {
		return lx.fail(t, diag.BadLong, "invalid long string delimiter", string(lx.src[t.off:lx.off]))
	}
	if t.str, ok = lx.longBody(level, true); !ok {
		return lx.fail(t, diag.BadLong, "unfinished long string", tkEOF.String())
	}
	return lx.add(t, tkString)
}

// quoted reads a string in quotes.
func (lx *lexer) quoted(quote byte) bool {
	t := lx.start()
	lx.off++
	lx.buf = append(lx.buf[:0], quote)
	for {
		if lx.atEnd() {
			return lx.fail(t, diag.BadString, "unfinished string", tkEOF.String())
		}
		c := lx.src[lx.off]
		switch {
		case c == quote:
			lx.off++
			t.str = string(lx.buf[1:])
			return lx.add(t, tkString)
		case isEOL(c):
			return lx.fail(t, diag.BadString, "unfinished string", string(lx.buf))
		case c == '\\':
			at := lx.start()
			if !lx.escape() {
				return lx.fail(at, diag.BadEscape, "invalid escape sequence", string(lx.buf))
			}
		default:
			lx.buf = append(lx.buf, c)
			lx.off++
		}
	}
}

var escapes = [256]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
	'\\': '\\', '"': '"', '\'': '\'',
}

// escape reads a backslash and what follows into buf.
func (lx *lexer) escape() bool {
	lx.off++
	if lx.atEnd() {
		return true // the string is unfinished; quoted says so
	}
	c := lx.src[lx.off]
	switch {
	case escapes[c] != 0:
		lx.buf = append(lx.buf, escapes[c])
		lx.off++
		return true
	case isEOL(c):
		lx.buf = append(lx.buf, '\n')
		lx.newline()
		return true
	case isDigit(c):
		return lx.decimalEscape()
	case c == 'x':
		lx.off++
		hi, lo := lx.peek(0), lx.peek(1)
		if !isHex(hi) || !isHex(lo) {
			return false
		}
		lx.buf = append(lx.buf, hexValue(hi)<<4|hexValue(lo))
		lx.off += 2
		return true
	case c == 'u':
		return lx.runeEscape()
	case c == 'z':
		lx.off++
		for !lx.atEnd() && isSpace(lx.src[lx.off]) {
			if isEOL(lx.src[lx.off]) {
				lx.newline()
			} else {
				lx.off++
			}
		}
		return true
	}
	return false
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// decimalEscape reads \d, \dd or \ddd up to 255.
func (lx *lexer) decimalEscape() bool {
	v := 0
	for i := 0; i < 3 && isDigit(lx.peek(0)); i++ {
		v = v*10 + int(lx.peek(0)-'0')
		lx.off++
	}
	if v > 255 {
		return false
	}
	lx.buf = append(lx.buf, byte(v))
	return true
}

// runeEscape reads \u{XXX}; surrogates and values past U+10FFFF are refused.
func (lx *lexer) runeEscape() bool {
	lx.off++
	if lx.peek(0) != '{' {
		return false
	}
	lx.off++
	v := rune(0)
	for {
		c := lx.peek(0)
		if !isHex(c) {
			return false
		}
		v = v<<4 | rune(hexValue(c))
		if v > utf8.MaxRune {
			return false
		}
		lx.off++
		if lx.peek(0) == '}' {
			break
		}
	}
	lx.off++
	if !utf8.ValidRune(v) {
		return false
	}
	lx.buf = utf8.AppendRune(lx.buf, v)
	return true
}
