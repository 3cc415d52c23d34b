package transpile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b.lua")
	if err := os.WriteFile(file, []byte("x = 1\né, b = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ds := []Diagnostic{
		{Code: "C1001", Msg: "50%\nno"},
		{
			Code: "L3001", Severity: Warning, File: file, Line: 2, Col: 5, Len: 1, Msg: "<b>", Help: "local",
			Notes: []Related{{File: "gone,x.lua", Line: 3, Col: 4, Msg: "here"}},
		},
	}
	for format, want := range map[string]string{
		"text": "50%\nno [C1001]\n" + file + ":2:5: warning: <b> [L3001]\n    2 | é, b = 1\n      |    ^\n   note: gone,x.lua:3:4: here\n   help: local\n",
		"github": "::error title=C1001::50%25%0Ano\n" +
			"::warning file=" + file + ",line=2,col=5,title=L3001::<b>%0Alocal\n",
		"json": `{"findings": [
			{"code": "C1001", "severity": "error", "message": "50%\nno"},
			{"code": "L3001", "severity": "warning", "file": "` + file + `", "line": 2, "column": 5, "length": 1, "message": "<b>",
			 "help": "local", "notes": [{"file": "gone,x.lua", "line": 3, "column": 4, "message": "here"}]}]}`,
		"sarif": `[{"ruleId": "C1001", "level": "error", "message": {"text": "50%\nno"}},
			{"ruleId": "L3001", "level": "warning", "message": {"text": "<b> (local)"},
			 "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file://` + strings.ReplaceAll(file, " ", "%20") + `"},
				"region": {"startLine": 2, "startColumn": 4, "endColumn": 5}}}],
			 "relatedLocations": [{"physicalLocation": {"artifactLocation": {"uri": "gone,x.lua"}, "region": {"startLine": 3}}, "message": {"text": "here"}}]}]`,
	} {
		var b strings.Builder
		if err := WriteReport(&b, format, ds); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		switch format {
		case "json":
			got, want = canonical(t, got), canonical(t, want)
		case "sarif":
			var log struct {
				Runs []struct{ Results json.RawMessage }
			}
			if err := json.Unmarshal([]byte(got), &log); err != nil {
				t.Fatal(err)
			}
			got, want = canonical(t, string(log.Runs[0].Results)), canonical(t, want)
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", format, got, want)
		}
	}
	if err := WriteReport(&strings.Builder{}, "xml", ds); err == nil {
		t.Error("an unknown format is taken")
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
