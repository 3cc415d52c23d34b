package golden

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// TestDocsNameRealThings checks that every file and identifier that
// docs/ARCHITECTURE.md puts in code style exists.
func TestDocsNameRealThings(t *testing.T) {
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := declarations(t)
	checked := 0
	for _, m := range codeSpan.FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		switch {
		case strings.ContainsAny(name, " *\\<"), name == "code", name == "//line":
			continue // a phrase, a pattern, the word itself
		case strings.Contains(name, "/") || strings.HasSuffix(name, ".go"):
			if !exists(name) {
				t.Errorf("no file %s", name)
			}
		default:
			last := name[strings.LastIndexByte(name, '.')+1:]
			if !declared[last] {
				t.Errorf("nothing is called %s", name)
			}
		}
		checked++
	}
	if checked < 40 {
		t.Errorf("only %d names were checked; has the style of the page changed?", checked)
	}
}

// exists looks for a file by its path from the root or below the compiler.
func exists(path string) bool {
	for _, root := range []string{"../", "../transpile/internal/"} {
		if _, err := os.Stat(root + path); err == nil {
			return true
		}
	}
	return false
}

var declaration = regexp.MustCompile(`(?m)^(?:package |func |func \([^)]*\) |type |const |var |\t)(\w+)`)

// declarations collects the names that the tree's Go files declare, and Lua's
// words that the page uses.
func declarations(t *testing.T) map[string]bool {
	out, err := exec.Command("git", "-C", "..", "ls-files", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"require": true, "pcall": true, "goto": true, "break": true, "__index": true, "1LL": true, "_G": true}
	for file := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		text, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}
