package phases

import (
	"fmt"
	"strings"
)

// template is a text with variables and captures, compiled once: what nginx
// calls a complex value. A text without any is kept in lit alone.
type template struct {
	lit   string
	parts []templatePart
}

// templatePart is one piece: a literal, a variable or a capture.
type templatePart struct {
	lit     string
	index   int // of the variable, when kind is partVar
	capture int
	kind    partKind
}

type partKind uint8

const (
	partLiteral partKind = iota
	partVar
	partCapture
)

// hasVariables tells whether s refers to a variable or a capture.
func hasVariables(s string) bool { return strings.IndexByte(s, '$') >= 0 }

// isNameByte reports whether c may stand in a variable's name.
func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
}

// template compiles a text; the variables in it are indexed.
func (c *compiler) template(s string) (template, error) {
	t := template{lit: s}
	if !hasVariables(s) {
		return t, nil
	}
	for i := 0; i < len(s); {
		if s[i] != '$' {
			end := strings.IndexByte(s[i:], '$')
			if end < 0 {
				end = len(s) - i
			}
			t.parts = append(t.parts, templatePart{lit: s[i : i+end]})
			i += end
			continue
		}
		i++
		if i == len(s) {
			return t, fmt.Errorf("invalid variable name")
		}
		if s[i] >= '1' && s[i] <= '9' {
			t.parts = append(t.parts, templatePart{kind: partCapture, capture: int(s[i] - '0')})
			i++
			continue
		}
		name := ""
		if s[i] == '{' {
			end := i + 1
			for end < len(s) && isNameByte(s[end]) {
				end++
			}
			if end == len(s) || s[end] != '}' {
				return t, fmt.Errorf("the closing bracket in \"%s\" variable is missing", s[i+1:end])
			}
			name, i = s[i+1:end], end+1
		} else {
			end := i
			for end < len(s) && isNameByte(s[end]) {
				end++
			}
			name, i = s[i:end], end
		}
		if name == "" {
			return t, fmt.Errorf("invalid variable name")
		}
		if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
			t.parts = append(t.parts, templatePart{kind: partCapture, capture: int(name[0] - '0')})
			continue
		}
		t.parts = append(t.parts, templatePart{kind: partVar, index: c.varIndex(name)})
	}
	return t, nil
}

// eval gives the text's value for r.
func (t *template) eval(r *Request) string {
	if t.parts == nil {
		return t.lit
	}
	if len(t.parts) == 1 {
		return t.parts[0].eval(r)
	}
	var buf [128]byte
	out := buf[:0]
	for i := range t.parts {
		out = append(out, t.parts[i].eval(r)...)
	}
	return string(out)
}

func (p *templatePart) eval(r *Request) string {
	switch p.kind {
	case partLiteral:
		return p.lit
	case partVar:
		v, _ := r.indexed(p.index)
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

// isStatic reports whether the text is the same for every request.
func (t *template) isStatic() bool { return t.parts == nil }

// evalEscaped is eval with captures escaped as arguments.
func (t *template) evalEscaped(r *Request, escape bool) string {
	if !escape || t.parts == nil {
		return t.eval(r)
	}
	var b strings.Builder
	for i := range t.parts {
		text := t.parts[i].eval(r)
		if t.parts[i].kind == partCapture {
			text = escapeURI(text, escapeArgs)
		}
		b.WriteString(text)
	}
	return b.String()
}

// quotedURI tells whether captures of the URI must be escaped again where they
// are used as arguments: the client's URI had escapes or pluses.
func (r *Request) quotedURI() bool {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return strings.IndexByte(path, '%') >= 0 || strings.IndexByte(path, '+') >= 0
}
