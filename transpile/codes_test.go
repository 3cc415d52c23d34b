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
		_, ds := Requires("before.lua", []byte(c.Before))
		if !slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code == c.Code }) {
			t.Errorf("%s: the example gives %v", c.Code, ds)
		}
		if _, ds := Requires("after.lua", []byte(c.After)); len(ds) > 0 {
			t.Errorf("%s: the cure gives %v", c.Code, ds)
		}
	}
}
