package runtime

import "testing"

// OpenResty builds LuaJIT with its 5.2 switch, Debian's luajit that records the
// case files does not: these results differ by it.
func TestDialect52(t *testing.T) {
	r := newCaseRunner(t)
	for _, tt := range []struct{ call, want string }{
		{`string.find("abc", "", 10)`, "nil"},
		{`string.find("abc", "", 5, true)`, "nil"},
		{`string.find("abc", "", 4)`, "4, 3"},
		{`string.match("abc", "()", 5)`, "nil"},
	} {
		if got := r.run(tt.call); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.call, got, tt.want)
		}
	}
}
