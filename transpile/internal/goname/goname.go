// Package goname turns Lua names, module names and file names into Go
// identifiers and keeps those of one scope apart.
package goname

import (
	"go/token"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// taken are names that generated code needs for itself or that would hide
// something of Go's that it uses.
var taken = map[string]bool{
	"rt": true, "th": true, "env": true, "math": true, "init": true, "main": true,
	"nil": true, "true": true, "false": true, "iota": true, "append": true,
	"bool": true, "int": true, "float64": true, "string": true, "any": true,
	"len": true, "cap": true, "make": true, "new": true, "panic": true, "recover": true,
	"copy": true, "delete": true, "print": true, "println": true, "min": true, "max": true,
	"clear": true, "close": true, "complex": true, "real": true, "imag": true,
	"byte": true, "rune": true, "error": true, "uint64": true, "int64": true,
}

// Ident makes a Go identifier of a Lua name. Keywords and predeclared names get
// a trailing underscore, as do bare underscores, which Go cannot read.
func Ident(s string) string {
	s = clean(s)
	if token.IsKeyword(s) || taken[s] || strings.Trim(s, "_") == "" {
		return s + "_"
	}
	return s
}

// clean replaces what cannot stand in a Go identifier. Bytes that are not UTF-8
// letters become x and their two hexadecimal digits.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) && i > 0):
			b.WriteRune(r)
		case r >= utf8.RuneSelf && n > 1 && unicode.IsLetter(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf && unicode.IsDigit(r):
			b.WriteByte('x')
			b.WriteRune(r)
		case r < utf8.RuneSelf && n == 1:
			b.WriteByte('_')
		default:
			for _, c := range []byte(s[i : i+n]) {
				b.WriteByte('x')
				b.WriteString(strconv.FormatUint(uint64(c), 16))
			}
		}
		i += n
	}
	if b.Len() == 0 {
		return "x"
	}
	return b.String()
}

// Pascal makes an exported identifier of a module or file name: the letters
// and digits of each word, the word's first letter raised.
func Pascal(s string) string {
	var b strings.Builder
	up := true
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			up = true
			continue
		}
		if b.Len() == 0 && !unicode.IsUpper(unicode.ToUpper(r)) {
			b.WriteByte('X')
		}
		if up {
			r = unicode.ToUpper(r)
			up = false
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return "Chunk"
	}
	return b.String()
}

// Camel is Pascal with a lower first letter: a prefix, which may be a keyword.
func Camel(s string) string {
	s = Pascal(s)
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// Field makes a Go field name of a Lua name: nothing but keywords is taken.
func Field(s string) string {
	s = clean(s)
	if token.IsKeyword(s) || strings.Trim(s, "_") == "" {
		return s + "_"
	}
	return s
}

// FileStem makes the part of a generated file's name before "_lua.go": what
// the go command would take for a build constraint or ignore cannot come out,
// since "_lua" always ends it and it starts with a letter or digit.
func FileStem(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteByte(c)
		default:
			b.WriteByte('_')
		}
	}
	if stem := strings.Trim(b.String(), "_"); stem != "" {
		return stem
	}
	return "chunk"
}

// Scope is a Go block: the names declared in it, each with what it stands for (a
// Lua name, or ownName), and where the block stands.
type Scope struct {
	outer *Scope
	names map[string]string
	field bool
}

// ownName marks the variables of a generated function's frame.
const ownName = "\x00"

// NewFields makes the scope of a struct's fields.
func NewFields() *Scope { return &Scope{field: true} }

// NewScope opens a block inside outer, which may be nil.
func NewScope(outer *Scope) *Scope { return &Scope{outer: outer} }

// Visible reports whether name means something here.
func (s *Scope) Visible(name string) bool {
	_, ok := s.meaning(name)
	return ok
}

// meaning returns what the innermost declaration of name stands for.
func (s *Scope) meaning(name string) (string, bool) {
	for ; s != nil; s = s.outer {
		if m, ok := s.names[name]; ok {
			return m, true
		}
	}
	return "", false
}

// Declare picks an identifier for wish and declares it: wish itself, else wish2,
// wish3, ... It never redeclares a name of this block; it hides one of an outer
// block only when hide is set and that one stands for the same Lua name, which the
// Lua scope hides as well.
func (s *Scope) Declare(wish string, hide bool) string { return s.declare(wish, wish, hide) }

// DeclareOwn is Declare for a variable of a generated function's frame; it hides
// only such variables of outer functions, which nothing inside refers to.
func (s *Scope) DeclareOwn(wish string) string { return s.declare(wish, ownName, true) }

func (s *Scope) declare(wish, meaning string, hide bool) string {
	base := Ident(wish)
	if s.field {
		base = Field(wish)
	}
	name := base
	for i := 2; !s.free(name, meaning, hide); i++ {
		name = base + strconv.Itoa(i)
	}
	if s.names == nil {
		s.names = map[string]string{}
	}
	s.names[name] = meaning
	return name
}

// free reports whether name may be declared in s.
func (s *Scope) free(name, meaning string, hide bool) bool {
	if _, here := s.names[name]; here {
		return false
	}
	outer, visible := s.meaning(name)
	return !visible || hide && outer == meaning
}
