package ngxre

import "testing"

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ pattern, opts, want string }{
		{`^(\w+)$`, "joi", ""},
		{`(`, "", `pcre2_compile() failed: missing closing parenthesis in "("`},
		{`a`, "jz", `unknown flag "z" (flags "jz")`},
	} {
		got := ""
		if err := Check(tt.pattern, tt.opts); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q %q: got %q, want %q", tt.pattern, tt.opts, got, tt.want)
		}
	}
}
