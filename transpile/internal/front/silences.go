package front

import (
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/diag"
)

// Silences says which findings comments switch off: codes by line, "" for all.
type Silences map[int][]string

// Cover reports whether a finding on a line is switched off.
func (s Silences) Cover(line int, code diag.Code) bool {
	for _, c := range s[line] {
		if c == "" || c == string(code) {
			return true
		}
	}
	return false
}

// SilencesOf reads the comments of a chunk.
func SilencesOf(cs []ast.Comment) Silences {
	m := Silences{}
	for _, c := range cs {
		text := strings.TrimSpace(c.Text)
		rest, ok := strings.CutPrefix(text, "moonphase:ignore")
		if !ok {
			// luacheck's codes are not ours: the line is left alone as a whole.
			if !strings.HasPrefix(text, "luacheck: ignore") && !strings.HasPrefix(text, "luacheck:ignore") {
				continue
			}
			rest = ""
		}
		line := c.Pos.Line
		if c.Own {
			line = c.End.Line + 1
		}
		codes := strings.Fields(strings.ReplaceAll(rest, ",", " "))
		if len(codes) == 0 {
			codes = []string{""}
		}
		m[line] = append(m[line], codes...)
	}
	return m
}
