package emit

import "testing"

func TestDirectives(t *testing.T) {
	m := mark
	for _, tt := range []struct{ name, in, want string }{
		{
			"first",
			"// F does.\n" + m(3) + "\nfunc F() {\n",
			"// F does.\n//\n//line x.lua:3\nfunc F() {\n",
		}, {
			"counted by itself",
			m(1) + "\nfunc F() {\n\t" + m(2) + "\n\tg()\n\t" + m(3) + "\n\th()\n",
			"//line x.lua:1\nfunc F() {\n\tg()\n\th()\n",
		}, {
			"jump",
			m(1) + "\nfunc F() {\n\t" + m(9) + "\n\tg()\n",
			"//line x.lua:1\nfunc F() {\n//line x.lua:9\n\tg()\n",
		}, {
			"inside an expression",
			m(1) + "\na(" + m(1) + " b(), " + m(2) + " c())\nd()\n",
			"//line x.lua:1\na(b(), /*line x.lua:2*/ c())\nd()\n",
		}, {
			"the last mark wins",
			m(5) + "\n" + m(7) + "\ng()\n",
			"//line x.lua:7\ng()\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(directives([]byte(tt.in), Options{LineFile: "x.lua"})); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	const none = "f(g())\n"
	if got := string(directives([]byte(m(1)+"\nf("+m(2)+" g())\n"), Options{NoLines: true})); got != none {
		t.Errorf("without lines: %q, want %q", got, none)
	}
}

func TestFloatLit(t *testing.T) {
	for _, tt := range []struct {
		v     float64
		typed bool
		want  string
	}{
		{1, false, "1"}, {1, true, "1.0"}, {0.1, true, "0.1"}, {1e100, true, "1e+100"},
		{1 << 53, true, "9.007199254740992e+15"}, {123456789, true, "123456789.0"}, {-2, false, "-2"},
	} {
		if got := floatLit(tt.v, tt.typed); got != tt.want {
			t.Errorf("floatLit(%v, %v) = %s, want %s", tt.v, tt.typed, got, tt.want)
		}
	}
}

func TestComment(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "//"}, {" x", "// x"}, {"go:build linux", "// go:build linux"}, {"line a.go:1", "// line a.go:1"},
		{"a\x00b", "// a b"}, {"/*@5@*/", "// /* @5@*/"},
	} {
		if got := comment(tt.in); got != tt.want {
			t.Errorf("comment(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
