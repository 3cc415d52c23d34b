package ssi

import (
	"fmt"
	"strings"
	"testing"
)

// parsed is what a parser makes of pieces.
func parsed(pieces ...string) string {
	var b strings.Builder
	p := parser{longest: 255}
	for _, piece := range pieces {
		p.piece = []byte(piece)
		for what := -1; what != atEnd; {
			var text []byte
			text, what = p.next()
			b.Write(text)
			switch what {
			case atCommand:
				fmt.Fprintf(&b, "{%s}", p.source())
			case atFault:
				fmt.Fprintf(&b, "{%s}", p.fault)
			case atError:
				b.WriteString("{error}")
			}
		}
	}
	b.Write(p.rest())
	return b.String()
}

// TestPieces: it does not matter in which pieces a page comes.
func TestPieces(t *testing.T) {
	for _, page := range []string{
		`a<!--#set var="x" value="1" -->b<!--#echo var='x'-->c`,
		`<<!<!-<!--<!--#a--><!--#`, `<!-<!--#endif --><!---#x-->`, "<!-- c --><!--# if expr = \"a\\\"b\" -->",
		`<!--#a b -->c<!--#a b=c -->d<!--#a -- b -->e<!--#a b="c"d -->f<!--#a ---> -->g`, `text <!--`,
	} {
		whole := parsed(page)
		if got := parsed(strings.Split(page, "")...); got != whole {
			t.Errorf("%q in bytes is %q, in one piece %q", page, got, whole)
		}
		for i := range page {
			if got := parsed(page[:i], page[i:]); got != whole {
				t.Errorf("%q cut at %d is %q, in one piece %q", page, i, got, whole)
			}
		}
	}
	const page, want = `a<!--#b c="d" -->e<!--`, `a{<!--#b c="d" -->}e<!--`
	if got := parsed(page); got != want {
		t.Errorf("%q is %q, want %q", page, got, want)
	}
}
