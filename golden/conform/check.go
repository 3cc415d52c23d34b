package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/dlclark/regexp2/v2"
)

// perlPattern compiles a pattern of the suite: Perl syntax over bytes, which the
// engine sees as characters up to U+00FF.
var perlPattern = func() func(string, string) (*regexp2.Regexp, error) {
	var cache sync.Map
	return func(pattern, flags string) (*regexp2.Regexp, error) {
		if rest, ok := strings.CutPrefix(pattern, "(?^"); ok {
			pattern = "(?" + rest
		}
		key := flags + ":" + pattern
		if re, ok := cache.Load(key); ok {
			return re.(*regexp2.Regexp), nil
		}
		re, err := regexp2.Compile("(?" + flags + ":" + string(widen(pattern)) + ")")
		if err == nil {
			cache.Store(key, re)
		}
		return re, err
	}
}()

// widen makes one rune of each byte.
func widen(s string) []rune {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return out
}

// narrow is the inverse of widen.
func narrow(rs []rune) string {
	out := make([]byte, len(rs))
	for i, r := range rs {
		out[i] = byte(r)
	}
	return string(out)
}

// matches reports whether it occurs in text; flags are those of a Perl match.
func (it item) matches(text, flags string) (bool, error) {
	if !it.regexp && flags == "" {
		return strings.Contains(text, it.text), nil
	}
	re, err := perlPattern(it.text, flags)
	if err != nil {
		return false, err
	}
	return re.MatchRunes(widen(text))
}

// item i of a section that has one value a request, or one for all.
func (b *block) nth(section string, i int) (item, bool) {
	v, ok := b.Sections[section]
	if !ok || len(v.items) == 0 {
		return item{}, false
	}
	if !v.list {
		i = 0
	}
	if i >= len(v.items) {
		return item{}, false
	}
	return v.items[i], true
}

// checkResponse compares response i of the block with what is expected of it.
func (b *block) checkResponse(i int, r *response) error {
	if b.has("error_code_like") {
		it, _ := b.nth("error_code_like", i)
		if ok, err := (item{text: it.text, regexp: true}).matches(r.status, "s"); !ok || err != nil {
			return fmt.Errorf("error_code_like: got %s, want %s (%v)", r.status, it.text, err)
		}
	} else {
		want := "200"
		if it, ok := b.nth("error_code", i); ok {
			want = strings.TrimSpace(it.text)
		}
		if r.status != want {
			return fmt.Errorf("error_code: got %s, want %s", r.status, want)
		}
	}
	if err := b.checkHeaders(i, r); err != nil {
		return err
	}
	if b.has("ignore_response_body") {
		return nil
	}
	if it, ok := b.nth("response_body", i); ok {
		want := it.text
		if it.regexp {
			if ok, err := it.matches(r.body, "s"); !ok || err != nil {
				return fmt.Errorf("response_body: %q does not match %s (%v)", r.body, it.text, err)
			}
		} else if r.body != want {
			return fmt.Errorf("response_body: %s", difference(r.body, want))
		}
	}
	if it, ok := b.nth("response_body_like", i); ok {
		like := item{text: it.text, regexp: true}
		if ok, err := like.matches(r.body, "s"); !ok || err != nil {
			return fmt.Errorf("response_body_like: %q does not match %q (%v)", r.body, like.text, err)
		}
	}
	return nil
}

func (b *block) checkHeaders(i int, r *response) error {
	if it, ok := b.nth("response_headers", i); ok {
		for line := range strings.Lines(it.text) {
			line = strings.TrimSpace(line)
			if line == "" {
				continue
			}
			if name, absent := strings.CutPrefix(line, "!"); absent {
				name = strings.TrimSpace(name)
				if got, ok := r.get(name); ok {
					return fmt.Errorf("response_headers: %s should be absent, is %q", name, got)
				}
				continue
			}
			name, want, _ := strings.Cut(line, ":")
			if got, _ := r.get(name); got != strings.TrimSpace(want) {
				return fmt.Errorf("response_headers: %s is %q, want %q", name, got, strings.TrimSpace(want))
			}
		}
	}
	if it, ok := b.nth("response_headers_like", i); ok {
		for line := range strings.Lines(it.text) {
			name, want, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok {
				continue
			}
			got, _ := r.get(name)
			if ok, err := (item{text: "^" + strings.TrimSpace(want) + "$", regexp: true}).matches(got, "s"); !ok || err != nil {
				return fmt.Errorf("response_headers_like: %s is %q, want %q", name, got, want)
			}
		}
	}
	for section, want := range map[string]bool{"raw_response_headers_like": true, "raw_response_headers_unlike": false} {
		if it, ok := b.nth(section, i); ok {
			ok, err := item{text: it.text, regexp: true}.matches(r.rawHead, "s")
			if ok != want || err != nil {
				return fmt.Errorf("%s: %q against %q (%v)", section, r.rawHead, it.text, err)
			}
		}
	}
	return nil
}

// difference shows the first place where two texts part.
func difference(got, want string) string {
	if len(got)+len(want) < 400 {
		return fmt.Sprintf("got %q, want %q", got, want)
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-40)
	return fmt.Sprintf("differs at byte %d: got ...%.120q, want ...%.120q", i, got[from:], want[from:])
}

// patterns gives the lines or expressions of a log section.
func (v value) patterns() []item {
	var out []item
	for _, it := range v.items {
		if v.list || it.regexp {
			out = append(out, it)
			continue
		}
		for line := range strings.SplitSeq(strings.TrimRight(it.text, "\n"), "\n") {
			if line != "" {
				out = append(out, item{text: line})
			}
		}
	}
	return out
}

// checkLog compares what was logged during a request with what is expected.
// repeat counts the runs of the block from 0.
func (b *block) checkLog(log string, repeat int) error {
	if err := b.checkOccurs("error_log", log, true); err != nil {
		return err
	}
	if err := b.checkOccurs("no_error_log", log, false); err != nil {
		return err
	}
	grep, ok := b.Sections["grep_error_log"]
	if !ok {
		return nil
	}
	want, ok := b.nth("grep_error_log_out", repeat)
	if !ok {
		return nil
	}
	got, err := grepLog(grep.items[0], log)
	if err != nil {
		return err
	}
	if want.regexp {
		if ok, err := want.matches(got, "s"); !ok || err != nil {
			return fmt.Errorf("grep_error_log_out: %q does not match %s (%v)", got, want.text, err)
		}
	} else if got != want.text {
		return fmt.Errorf("grep_error_log_out: %s", difference(got, want.text))
	}
	return nil
}

// grepLog lists all matches, each on a line of its own.
func grepLog(pattern item, log string) (string, error) {
	var out strings.Builder
	if !pattern.regexp {
		for range strings.Count(log, pattern.text) {
			out.WriteString(pattern.text + "\n")
		}
		return out.String(), nil
	}
	re, err := perlPattern(pattern.text, "")
	if err != nil {
		return "", err
	}
	m, err := re.FindRunesMatch(widen(log))
	for m != nil && err == nil {
		out.WriteString(narrow(m.Runes()) + "\n")
		m, err = re.FindNextMatch(m)
	}
	return out.String(), err
}

// checkOccurs wants every pattern of a section on some line of the log, or on none.
func (b *block) checkOccurs(section, log string, want bool) error {
	v, ok := b.Sections[section]
	if !ok {
		return nil
	}
	for _, p := range v.patterns() {
		found := false
		for line := range strings.Lines(log) {
			ok, err := p.matches(line, "")
			if err != nil {
				return fmt.Errorf("%s: %w", section, err)
			}
			if ok {
				found = true
				if !want {
					return fmt.Errorf("%s: %q is in the log: %.300q", section, p.text, line)
				}
				break
			}
		}
		if !found && want {
			return fmt.Errorf("%s: %q is not in the log", section, p.text)
		}
	}
	return nil
}
