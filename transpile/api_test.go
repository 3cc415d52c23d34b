package transpile

import (
	"strings"
	"testing"
)

// TestAPI: each row is whole, and each name that vet knows is in the reference.
func TestAPI(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range API() {
		if seen[f.Name] || f.Signatures[0] == "" || f.Phases == "" {
			t.Errorf("a row that is not whole, or twice: %+v", f)
		}
		seen[f.Name] = true
	}
	if len(seen) < 200 {
		t.Errorf("only %d rows", len(seen))
	}
	for name, want := range map[string]string{
		"ngx.sleep": "waits", "ngx.say": "phases     server_rewrite, rewrite, access, precontent, content",
		"ngx.var": "ngx.var.NAME = value", "ngx.re": "ngx.re.match", "ngx.HTTP_OK": "a constant", "tcpsock:connect": "here       not yet",
	} {
		if text, ok := ExplainAPI(name, nil); !ok || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
	if text, ok := ExplainAPI("ngx.nothing", nil); ok {
		t.Errorf("ngx.nothing is %q", text)
	}
}
