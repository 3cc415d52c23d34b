package transpile

import (
	"slices"
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

// allFindings looks at src as a phase's chunk and as a module.
func allFindings(src string) []Diagnostic {
	_, ds := Requires("t.lua", []byte(src))
	asModule := VetInput{Source: []byte(src), Module: "m", File: "t.lua", Line: 1, Col: 1}
	asPhase := VetInput{Source: []byte(src), Directives: []string{"log_by_lua_block"}, File: "t.lua", Line: 1, Col: 1}
	ds = append(ds, Vet([]VetInput{asModule})...)
	return append(ds, Vet([]VetInput{asPhase})...)
}
