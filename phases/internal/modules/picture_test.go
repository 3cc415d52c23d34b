package modules

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// pictureFrom and pictureTo bound the column in which the picture of the phases in
// docs/ARCHITECTURE.md has the names of modules, in bytes of a line.
const pictureFrom, pictureTo = 16, 60

// TestPicture compares the pictures of phases and filters with the list: who is drawn
// first is asked first. A bar parts what has an order of its own.
func TestPicture(t *testing.T) {
	page, err := os.ReadFile("../../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range All() {
		order = append(order, m.Name)
	}
	drawn := 0
	for _, rows := range []struct {
		first string
		to    int
	}{{"\npost_read ", pictureTo}, {"\nheader filters ", 1000}} {
		_, text, found := strings.Cut(string(page), rows.first)
		if !found {
			t.Fatalf("the page has no picture that begins with %q", rows.first)
		}
		text, _, _ = strings.Cut(rows.first[1:]+text, "\n```")
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			line = line[min(pictureFrom, len(line)):min(rows.to, len(line))]
			for part := range strings.SplitSeq(line, "|") {
				drawn += checkDrawn(t, order, strings.TrimSpace(part))
			}
		}
	}
	if drawn < 25 {
		t.Errorf("only %d names were found; has the form of the pictures changed?", drawn)
	}
}

// checkDrawn compares the names of one list with the order of the modules, and returns
// their number.
func checkDrawn(t *testing.T, order []string, part string) (names int) {
	if part == "" || part == "postpone" || strings.HasPrefix(part, "(") {
		return 0
	}
	last := len(order)
	for name := range strings.SplitSeq(part, ", ") {
		switch i := slices.Index(order, name); {
		case i < 0:
			t.Errorf("%q: there is no module %q", part, name)
		case i >= last:
			t.Errorf("%q: %s is asked earlier", part, name)
		default:
			last = i
		}
		names++
	}
	return names
}
