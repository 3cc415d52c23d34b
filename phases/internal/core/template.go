package core

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Template is a text with variables and captures, compiled once: what nginx
// calls a complex value. A text without any is kept in Lit alone.
type Template struct {
	Lit   string
	Parts []TemplatePart
}

// TemplatePart is one piece: a literal, a variable or a capture.
type TemplatePart struct {
	Lit     string
	Index   int // of the variable, when Kind is PartVar
	capture int
	Kind    PartKind
}

// PartKind is what a part of a template stands for.
type PartKind uint8

const (
	PartLiteral PartKind = iota
	PartVar
	PartCapture
)

// HasVariables tells whether s refers to a variable or a capture.
func HasVariables(s string) bool { return strings.IndexByte(s, '$') >= 0 }

// IsNameByte reports whether c may stand in a variable's name.
func IsNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
}

// Template compiles a text; the variables in it are indexed.
func (c *Compiler) Template(s string) (Template, error) {
	t := Template{Lit: s}
	if !HasVariables(s) {
		return t, nil
	}
	for i := 0; i < len(s); {
		if s[i] != '$' {
			end := strings.IndexByte(s[i:], '$')
			if end < 0 {
				end = len(s) - i
			}
			t.Parts = append(t.Parts, TemplatePart{Lit: s[i : i+end]})
			i += end
			continue
		}
		i++
		if i == len(s) || s[i:] == "{" {
			return t, fmt.Errorf("invalid variable name")
		}
		if s[i] >= '1' && s[i] <= '9' {
			t.Parts = append(t.Parts, TemplatePart{Kind: PartCapture, capture: int(s[i] - '0')})
			i++
			continue
		}
		name := ""
		if s[i] == '{' {
			end := i + 1
			for end < len(s) && IsNameByte(s[end]) {
				end++
			}
			if end == len(s) || s[end] != '}' {
				return t, fmt.Errorf("the closing bracket in \"%s\" variable is missing", s[i+1:end])
			}
			name, i = s[i+1:end], end+1
		} else {
			end := i
			for end < len(s) && IsNameByte(s[end]) {
				end++
			}
			name, i = s[i:end], end
		}
		if name == "" {
			return t, fmt.Errorf("invalid variable name")
		}
		if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
			t.Parts = append(t.Parts, TemplatePart{Kind: PartCapture, capture: int(name[0] - '0')})
			continue
		}
		t.Parts = append(t.Parts, TemplatePart{Kind: PartVar, Index: c.VarIndex(name)})
	}
	return t, nil
}

// Eval gives the text's value for r.
func (t *Template) Eval(r *Request) string {
	if t.Parts == nil {
		return t.Lit
	}
	if len(t.Parts) == 1 {
		return t.Parts[0].Eval(r)
	}
	var buf [128]byte
	out := buf[:0]
	for i := range t.Parts {
		out = append(out, t.Parts[i].Eval(r)...)
	}
	return string(out)
}

// Eval is the text of the part for a request.
func (p *TemplatePart) Eval(r *Request) string {
	switch p.Kind {
	case PartLiteral:
		return p.Lit
	case PartVar:
		v, _ := r.Indexed(p.Index)
		return v
	}
	return r.capture(p.capture)
}

// capture is group n of the last regex that matched, "" without one.
func (r *Request) capture(n int) string {
	if n < len(r.Captures) {
		return r.Captures[n]
	}
	return ""
}

// IsStatic reports whether the text is the same for every request.
func (t *Template) IsStatic() bool { return t.Parts == nil }

// EvalEscaped is Eval with captures escaped as arguments.
func (t *Template) EvalEscaped(r *Request, escape bool) string {
	if !escape || t.Parts == nil {
		return t.Eval(r)
	}
	var b strings.Builder
	for i := range t.Parts {
		text := t.Parts[i].Eval(r)
		if t.Parts[i].Kind == PartCapture {
			text = ngxtext.EscapeURI(text, ngxtext.EscapeArgs)
		}
		b.WriteString(text)
	}
	return b.String()
}

// QuotedURI tells whether captures of the URI must be escaped again where they
// are used as arguments: the client's URI had escapes or pluses.
func (r *Request) QuotedURI() bool {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return strings.IndexByte(path, '%') >= 0 || strings.IndexByte(path, '+') >= 0
}
