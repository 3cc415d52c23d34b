package transpile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCatalogue checks that every example shows its code, and its cure cures.
func TestCatalogue(t *testing.T) {
	for _, c := range Codes() {
		if c.Title == "" || c.Text == "" {
			t.Errorf("%s: no text", c.Code)
		}
		if got, ok := Explain(string(c.Code)); !ok || got.Code != c.Code {
			t.Errorf("%s: not found by Explain", c.Code)
		}
		if c.Before == "" {
			continue
		}
		if ds := allFindings(c.Before); !slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code == c.Code }) {
			t.Errorf("%s: the example gives %v", c.Code, ds)
		}
		if ds := allFindings(c.After); len(ds) > 0 {
			t.Errorf("%s: the cure gives %v", c.Code, ds)
		}
	}
}

// TestCatalogueHasAll checks that each code that a finding can have is explained, once.
func TestCatalogueHasAll(t *testing.T) {
	const file = "internal/diag/codes.go"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]int{}
	for _, c := range Codes() {
		explained[string(c.Code)]++
	}
	found := regexp.MustCompile(`"([A-Z]\d{4})"`).FindAllStringSubmatch(string(text), -1)
	for _, m := range found {
		if n := explained[m[1]]; n != 1 {
			t.Errorf("%s of %s has %d entries in catalogue.go", m[1], file, n)
		}
	}
	if len(found) < 30 || len(found) != len(explained) {
		t.Errorf("%s has %d codes, catalogue.go %d", file, len(found), len(explained))
	}
}

// allFindings looks at src as a phase's chunk and as a module.
func allFindings(src string) []Diagnostic {
	_, ds := Modules("t.lua", "", []byte(src))
	asModule := VetInput{Source: []byte(src), Module: "m", File: "t.lua", Line: 1, Col: 1}
	asPhase := VetInput{Source: []byte(src), Directives: []string{"log_by_lua_block"}, File: "t.lua", Line: 1, Col: 1}
	ds = append(ds, Vet(VetProgram{Chunks: []VetInput{asModule}})...)
	return append(ds, Vet(VetProgram{
		Chunks: []VetInput{asPhase}, SharedDicts: []string{"dogs"}, CheckRegex: onlyClosed,
	})...)
}

// onlyClosed stands for the regular expressions of the server.
func onlyClosed(pattern, options string) error {
	if pattern == "(" || strings.Contains(options, "z") {
		return errors.New("missing )")
	}
	return nil
}

var writeDocs = flag.Bool("docs", false, "write docs/diagnostics.md")

const docsFile = "../docs/diagnostics.md"

// TestDocs: the page about the codes says what the catalogue says.
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Diagnostics\n\nWhat `moonphase vet`, `gen` and `build` report. `moonphase explain CODE` shows one entry.\n" +
		"L1: LuaJIT refuses the chunk. L2: only this compiler does. L3: a warning, silenced by a comment on the line or on its own line\n" +
		"above: `-- moonphase:ignore L3001`. C1: the mistake is in what surrounds the chunks.\n" +
		"Written by `go test ./transpile -run Docs -args -docs` from transpile/catalogue.go.\n")
	for _, c := range Codes() {
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s\n", c.Code, c.Title, c.Text)
		if c.Before != "" && len(c.Before) < 200 && c.Before[0] >= ' ' {
			fmt.Fprintf(&b, "\n```lua\n%s\n```\n\ninstead:\n\n```lua\n%s\n```\n", c.Before, c.After)
		}
	}
	if *writeDocs {
		if err := os.MkdirAll(filepath.Dir(docsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(docsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is stale: run go test ./transpile -run Docs -args -docs", docsFile)
	}
}
