package main

import (
	"bytes"
	"testing"
)

// TestExampleIsFresh: the generated package of examples/embed is what gen writes now.
func TestExampleIsFresh(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"gen", "--check", "-o", "../../examples/embed/edge", "../../examples/embed/lua"}, &stdout, &stderr); code != exitOK {
		t.Errorf("exit %d; go generate ./examples/embed\n%s%s", code, stdout.String(), stderr.String())
	}
}
