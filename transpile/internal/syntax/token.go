// Package syntax turns Lua source into the compiler's tree. It is the only
// importer of gopher-lua, whose parser decides the structure; everything that
// parser does not know about LuaJIT's dialect is done around it:
//
//	source -> tokens -> skeleton -> gopher-lua's tree -> aligned tree
//
// A lexer of our own reads tokens exactly as LuaJIT does (lex.go). The parser
// then sees only a skeleton (skeleton.go): the same tokens with every name and
// literal replaced by a dummy, so none of its lexer's gaps matter. A walk in
// lock step over its tree and our tokens (align.go) builds package ast's tree
// with the true names, values and positions. When the parser refuses, a
// recogniser (explain.go) goes over the tokens up to that place and says what
// LuaJIT would have said.
package syntax

import (
	"fmt"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// kind is a token's kind. A token of one character has that character's value.
type kind uint16

const (
	tkEOF kind = 256 + iota
	// tkBad stands where the lexer gave up; the token's err says why. It is the last token.
	tkBad
	tkName
	tkNumber
	tkString
	tkConcat
	tkDots
	tkEq
	tkGe
	tkLe
	tkNe
	tkLabel
	// The reserved words follow, in the order of keywords.
	tkAnd
	tkBreak
	tkDo
	tkElse
	tkElseif
	tkEnd
	tkFalse
	tkFor
	tkFunction
	tkGoto
	tkIf
	tkIn
	tkLocal
	tkNil
	tkNot
	tkOr
	tkRepeat
	tkReturn
	tkThen
	tkTrue
	tkUntil
	tkWhile
)

// kindNames has LuaJIT's words for the kinds that are not one character.
var kindNames = [...]string{
	"<eof>", "<bad>", "<name>", "<number>", "<string>", "..", "...", "==", ">=", "<=", "~=", "::",
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
	"local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
}

var keywords = func() map[string]kind {
	m := make(map[string]kind)
	for k := tkAnd; k <= tkWhile; k++ {
		m[kindNames[k-tkEOF]] = k
	}
	return m
}()

// String is how LuaJIT names the kind in a message.
func (k kind) String() string {
	switch {
	case k >= tkEOF:
		return kindNames[k-tkEOF]
	case k < ' ' || k == 0x7f:
		return fmt.Sprintf("char(%d)", int(k))
	}
	return string(rune(k))
}

// token is one token of the source.
type token struct {
	kind     kind
	pos      ast.Pos
	off, end int    // byte offsets into the source
	endLine  int    // the line it ends on; only strings span lines
	str      string // a name, or the value of a string
	num      int    // index into file.numbers
}

// lexError is why the lexer gave up. LuaJIT raises it when its parser reaches
// the token, so a mistake further up wins.
type lexError struct {
	code diag.Code
	msg  string
	near string
	pos  ast.Pos
	line int
}

// file is the outcome of reading a source.
type file struct {
	name     string
	src      []byte
	tokens   []token
	numbers  []ast.NumberExpr
	comments []ast.Comment
	err      *lexError // set when the last token is tkBad
}
