package source

import (
	"slices"
	"testing"
)

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"a", []string{"a"}},
		{"a\n", []string{"a", ""}},
		{"a\r\nb\n\rc\rd\ne", []string{"a", "b", "c", "d", "e"}},
		{"\n\n\r\r", []string{"", "", "", ""}},
	} {
		f := New([]byte(tt.text))
		var got []string
		for n := 1; n <= f.Lines(); n++ {
			got = append(got, string(f.Line(n)))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
		if f.Line(0) != nil || f.Line(f.Lines()+1) != nil {
			t.Errorf("%q: a line outside the text", tt.text)
		}
	}
}
