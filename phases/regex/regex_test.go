package regex

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sort"
	"strings"
	"testing"
)

// flagsOf reads the option letters of ngx.re.
func flagsOf(t testing.TB, opts string) Flags {
	letters := map[rune]Flags{'i': Caseless, 'm': Multiline, 's': DotAll, 'x': Extended, 'a': Anchored,
		'u': UTF8, 'U': UTF8 | NoUTFCheck, 'D': DupNames, 'J': JavaScript, 'd': DFA}
	var f Flags
	for _, c := range opts {
		if letters[c] == 0 {
			t.Fatalf("unknown option %q", c)
		}
		f |= letters[c]
	}
	return f
}

func unescape(t testing.TB, s string) string {
	s, err := url.PathUnescape(s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			fmt.Fprintf(&b, "%%%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// describe renders a match as testdata/cases.txt does.
func describe(pattern string, flags Flags, subject string) string {
	re, err := Compile(pattern, flags)
	if err != nil {
		var e *Error
		errors.As(err, &e)
		text := "error pcre_compile() failed: " + e.Msg + ` in "` + pattern + `"`
		if e.At < len(pattern) {
			text += ` at "` + pattern[e.At:] + `"`
		}
		return text
	}
	var in Input
	in.Reset(subject)
	ov, err := re.Match(&in, 0, nil)
	if err != nil {
		return "error " + err.Error()
	}
	if ov == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d,%d", ov[0]+1, ov[1])
	group := func(g int) string {
		if ov[2*g] < 0 {
			return "-"
		}
		return "<" + subject[ov[2*g]:ov[2*g+1]] + ">"
	}
	for g := range re.NumGroups() + 1 {
		b.WriteString(" " + group(g))
	}
	var names []string
	for _, n := range re.Names() {
		if 2*n.Group < len(ov) && ov[2*n.Group] >= 0 || re.flags&DupNames == 0 {
			names = append(names, n.Name+"="+strings.Trim(strings.Replace(group(n.Group), "-", "false", 1), "<>"))
		}
	}
	sort.Strings(names)
	if len(names) > 0 {
		b.WriteString(" " + strings.Join(names, " "))
	}
	return b.String()
}

// TestPCRE compares with what PCRE 8 answered, through ngx.re.match and
// ngx.re.find of ngx_lua 0.10.23: pattern, options, subject, answer.
func TestPCRE(t *testing.T) {
	f, err := os.Open("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		col := strings.Split(sc.Text(), "\t")
		if len(col) != 4 {
			t.Fatalf("line %d: %d columns", line, len(col))
		}
		got := escape(describe(unescape(t, col[0]), flagsOf(t, col[1]), unescape(t, col[2])))
		if got != col[3] {
			t.Errorf("line %d: %s /%s on %s\n got %s\nwant %s", line, col[0], col[1], col[2], got, col[3])
		}
	}
}

// TestMatchFrom checks that what stands before the start offset is seen.
func TestMatchFrom(t *testing.T) {
	tests := []struct {
		pattern string
		flags   Flags
		subject string
		start   int
		want    string
	}{
		{`\w+`, 0, "ab cd", 1, "[1 2]"},
		{`\bcd`, 0, "abcd", 2, "[]"},
		{`^cd`, 0, "abcd", 2, "[]"},
		{`(?<=b)c`, 0, "abcd", 2, "[2 3]"},
		{`c`, Anchored, "abcd", 1, "[]"},
		{`c`, Anchored, "abcd", 2, "[2 3]"},
		{`.`, UTF8, "a\u00e9b", 1, "[1 3]"},
		{`.`, UTF8, "a\u00e9b", 3, "[3 4]"},
	}
	var in Input
	for _, tt := range tests {
		re, err := Compile(tt.pattern, tt.flags)
		if err != nil {
			t.Fatal(err)
		}
		in.Reset(tt.subject)
		ov, err := re.Match(&in, tt.start, nil)
		if got := fmt.Sprint(ov); err != nil || got != tt.want {
			t.Errorf("%s on %q from %d: %s, %v, want %s", tt.pattern, tt.subject, tt.start, got, err, tt.want)
		}
	}
	re, _ := Compile(`.`, UTF8)
	in.Reset("\u00e9")
	if _, err := re.Match(&in, 1, nil); err == nil || err.Error() != "pcre_exec() failed: -11" {
		t.Errorf("a start inside a character: %v", err)
	}
}

// TestMatchLimit checks that a match that would take ages ends.
func TestMatchLimit(t *testing.T) {
	re, err := Compile(`^(a|b|ab)*c\1$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	re.SetMatchLimit(100)
	var in Input
	in.Reset(strings.Repeat("ab", 2000))
	if _, err := re.Match(&in, 0, nil); err == nil || err.Error() != "pcre_exec() failed: -8" {
		t.Errorf("got %v", err)
	}
}

// FuzzCompile looks for patterns that this parser takes and regexp2 does not.
func FuzzCompile(f *testing.F) {
	data, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if col := strings.Split(line, "\t"); len(col) == 4 {
			f.Add(unescape(f, col[0]), uint16(flagsOf(f, col[1])), unescape(f, col[2]))
		}
	}
	f.Fuzz(func(t *testing.T, pattern string, flags uint16, subject string) {
		p, tree, err := parse(pattern, Flags(flags)&(DFA-1))
		if err != nil || len(pattern) > 200 {
			return
		}
		if _, err := print(p, tree); err != nil {
			return
		}
		re, err := Compile(pattern, Flags(flags)&(DFA-1))
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		re.SetMatchLimit(1000)
		var in Input
		in.Reset(subject)
		ov, _ := re.Match(&in, 0, nil)
		for i := 2; i < len(ov); i += 2 {
			if ov[i] >= 0 && (ov[i] > ov[i+1] || ov[i+1] > len(subject)) {
				t.Fatalf("%q on %q: %v", pattern, subject, ov)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	re, err := Compile(`^/api/v(\d+)/users/([a-z0-9]+)$`, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var in Input
	var ov []int
	for b.Loop() {
		in.Reset("/api/v2/users/alice")
		ov, _ = re.Match(&in, 0, ov)
	}
	if len(ov) != 6 {
		b.Fatal(ov)
	}
}

// TestErrors compares with the errors of libpcre 8.39 and libpcre2 10.42: pattern,
// options, and for each message and offset, "ok" for a pattern that compiles.
func TestErrors(t *testing.T) {
	data, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		col := strings.Split(line, "\t")
		if len(col) != 6 {
			t.Fatalf("line %d: %d columns", i+1, len(col))
		}
		pattern, flags := unescape(t, col[0]), flagsOf(t, col[1])
		for release, f := range []Flags{flags, flags | PCRE2} {
			got := "ok\t-"
			if _, err := Compile(pattern, f); err != nil {
				e := err.(*Error)
				got = fmt.Sprintf("%s\t%d", escape(e.Msg), e.At)
			}
			if want := col[2+2*release] + "\t" + col[3+2*release]; got != want {
				t.Errorf("line %d: PCRE %d, %s /%s\n got %s\nwant %s", i+1, release+1, col[0], col[1], got, want)
			}
		}
	}
}

// TestUTF8Errors compares with what pcre2_match says of subjects that are not UTF-8.
func TestUTF8Errors(t *testing.T) {
	for s, want := range map[string]int{
		"a\xff": -23, "\x80": -22, "\xc3": -3, "\xe2\x82": -3, "\xe2": -4, "\xf0\x90": -4, "\xf0": -5, "\xc3a": -8, "\xe2\x82a": -9,
		"\xf0\x90\x80a": -10, "\xc0\x80": -17, "\xe0\x80\x80": -18, "\xed\xa0\x80": -16, "\xf0\x80\x80\x80": -19,
		"\xf4\x90\x80\x80": -15, "\xf5\x80\x80\x80": -15, "\xf8\x88\x80\x80\x80": -13, "\xfc\x84\x80\x80\x80\x80": -14,
		"\xf8\x80\x80\x80\x80": -20, "\xfc\x80\x80\x80\x80\x80": -21, "\xf8": -6, "\xf8\x80": -5, "\xfc": -7, "\xfe": -23, "\xf0a": -4,
	} {
		re, err := Compile("a", UTF8|PCRE2)
		if err != nil {
			t.Fatal(err)
		}
		var in Input
		in.Reset(s)
		if _, err := re.Match(&in, 0, nil); err == nil || err.(*MatchError).Code != want {
			t.Errorf("%q gives %v, want %d", s, err, want)
		}
	}
}
