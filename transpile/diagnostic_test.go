package transpile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.lua")
	text := "local a = 1\n\tlocal é, b = x y z\n" + strings.Repeat("\n", 30)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	many := make([]Diagnostic, 22)
	for i := range many {
		many[i] = Diagnostic{Code: "L9999", File: "gone.lua", Line: i + 1, Msg: "m"}
	}
	for _, tt := range []struct {
		name string
		ds   []Diagnostic
		want string
	}{
		{"all parts", []Diagnostic{{
			Code: "L1001", File: file, Line: 2, Col: 18, Len: 3, Msg: "no", Help: "try it",
			Notes: []Related{{File: file, Line: 1, Col: 7, Msg: "here"}},
		}}, "F:2:18: no [L1001]\n    2 | \tlocal é, b = x y z\n      | \t               ^~~\n   note: F:1:7: here\n   help: try it\n"},
		{"warning without a column", []Diagnostic{{Code: "L3001", Severity: Warning, File: file, Line: 1, Msg: "no"}},
			"F:1: warning: no [L3001]\n    1 | local a = 1\n"},
		{"at the end of a line", []Diagnostic{{Code: "L1001", File: file, Line: 1, Col: 12, Msg: "no"}},
			"F:1:12: no [L1001]\n    1 | local a = 1\n      |            ^\n"},
		{"blank line", []Diagnostic{{Code: "L1001", File: file, Line: 9, Col: 1, Msg: "no"}}, "F:9:1: no [L1001]\n"},
		{"outside the file", []Diagnostic{{Code: "L1001", File: file, Line: 99, Col: 1, Msg: "no"}}, "F:99:1: no [L1001]\n"},
		{"no place", []Diagnostic{{Code: "C1003", Msg: "no"}}, "no [C1003]\n"},
		{"many", many, strings.Repeat("#", 20) + "gone.lua: 2 more\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			WriteText(&b, tt.ds, false)
			got := strings.ReplaceAll(b.String(), file, "F")
			if tt.name == "many" {
				for i := range 20 {
					got = strings.Replace(got, place("gone.lua", i+1, 0)+"m [L9999]\n", "#", 1)
				}
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
