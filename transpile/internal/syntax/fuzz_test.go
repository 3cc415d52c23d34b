package syntax

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/source"
)

// FuzzParse: no input makes the front end panic, contradict itself or point
// outside the text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"local a <b> = 1", "x = [==[a]==] --[[c]] y = 0x1p4 + 1ULL", "for k, v in pairs{1, a = 2; 3} do goto c ::c:: end",
		"function a.b:c(...) return (...), -x ^ 2 .. 'a\\z \\x41' end", "repeat local x until x if a then elseif b then else break end",
		"x = (f())\n(g){1}'a'.b[c]:d(...)", "#!x\nreturn", "\xef\xbb\xbfx=1", "x = {,}", "x = {1,,2}", "(f())", "goto goto", "x\x00", "é = 1",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		chunk, ds := Parse("t.lua", src)
		if chunk != nil {
			checkPositions(t, src, chunk)
			return
		}
		text := source.New(src)
		for _, d := range ds {
			if d.Code == diag.Internal {
				t.Fatalf("%+v", d)
			}
			if d.Line < 1 || d.Line > text.Lines() || d.Col < 1 || d.Col > len(src)+1 {
				t.Fatalf("outside the text: %+v", d)
			}
		}
		if !diag.HasErrors(ds) {
			t.Fatal("no tree and no error")
		}
	})
}

var corpus = flag.String("corpus", "", "a folder of Lua files for TestCorpus, besides this project's own")

// TestCorpus reads real Lua files, and agrees with luajit about each.
func TestCorpus(t *testing.T) {
	roots := []string{"../../../examples", "../../../golden/bench/programs"}
	if *corpus != "" {
		roots = append(roots, *corpus)
	}
	var files []string
	for _, root := range roots {
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".lua") {
				files = append(files, path)
			}
			return nil
		})
	}
	if len(files) < 10 {
		t.Fatalf("only %d Lua files in %q", len(files), roots)
	}
	refused := luajitRefuses(t, files)
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		chunk, ds := Parse(path, src)
		if got, want := chunk == nil, refused[path]; got != want {
			t.Errorf("%s: refused: %v, luajit: %v (%v)", path, got, want, ds)
		}
		if chunk != nil {
			checkPositions(t, src, chunk)
		}
	}
}

// luajitRefuses tells which files luajit cannot load; none when it is not there.
func luajitRefuses(t *testing.T, files []string) map[string]bool {
	t.Helper()
	refused := map[string]bool{}
	bin, err := exec.LookPath("luajit")
	if err != nil {
		return refused
	}
	cmd := exec.Command(bin, "-e", "for path in io.lines() do if not loadfile(path) then print(path) end end")
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(out)) {
		refused[strings.TrimSpace(path)] = true
	}
	return refused
}

func BenchmarkParse(b *testing.B) {
	src, err := os.ReadFile("../../../golden/bench/programs/json.lua")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		Parse("json.lua", src)
	}
}
