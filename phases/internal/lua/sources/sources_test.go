package sources

import "testing"

func TestMatchStars(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a.*", "a.b", true}, {"a.*", "b.a.c", false}, {"*.b", "a.b", true},
		{"a.*.c", "a.b.c", true}, {"a.*.c", "a.c", false}, {"a*b*c", "axbyc", true}, {"a*b*c", "acb", false}, {"*", "", true},
	} {
		if got := matchStars(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q, %q: %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}
