// Package regex gives the server PCRE's regular expressions: for ngx.re, and for
// the rewrite module, locations and maps of nginx.conf.
//
// A pattern is parsed here by PCRE's rules, with PCRE's error texts and offsets,
// and handed to github.com/dlclark/regexp2 in its own dialect. Unless the UTF8
// flag is set, a pattern works on bytes: bytes above 0x7F become characters of
// the private use area, on both sides, so that they have no case and belong to
// no class, as in PCRE under the C locale.
package regex

import (
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// Flags are the compile options.
type Flags uint16

const (
	Caseless      Flags = 1 << iota // i
	Multiline                       // m
	DotAll                          // s
	Extended                        // x
	Anchored                        // a: match at the start offset only
	DollarEndOnly                   // $ does not match before a newline at the end
	Ungreedy                        // swaps greedy and lazy
	UTF8                            // u: characters are UTF-8 sequences
	NoUTFCheck                      // U: with UTF8, the subject is taken to be valid
	DupNames                        // D: two groups may have the same name
	JavaScript                      // J: JavaScript's reading of some escapes
	DFA                             // d: the longest match, no captures
	PCRE2                           // errors, their places and codes are PCRE 2's; escapes without a meaning are errors
)

// Name is a named capture.
type Name struct {
	Name  string
	Group int
}

// Regexp is a compiled pattern. It may be used by several goroutines.
type Regexp struct {
	re    *regexp2.Regexp
	full  *regexp2.Regexp // DFA: the pattern anchored on both sides
	flags Flags
	n     int
	keep  int // the group that stands for \K, 0 when there is none
	names []Name
}

// matchTime bounds one match, where PCRE counts ten million steps.
const matchTime = 2 * time.Second

// maxStack bounds regexp2's backtracking stack, in integers.
const maxStack = 4 << 20

// Compile compiles a pattern. A bad one gives an *Error.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	p, tree, err := parse(pattern, flags)
	if err != nil {
		return nil, err
	}
	re := &Regexp{flags: p.flags, n: p.ngroups, names: p.names}
	if re.re, err = compileNode(p, tree); err != nil {
		return nil, err
	}
	if hasKeep(tree) {
		re.keep = p.ngroups + 1
	}
	if flags&DFA != 0 {
		re.n = 0
		p.flags |= Anchored
		whole := &node{op: opCat, subs: []*node{tree, {op: opEnd}}}
		if re.full, err = compileNode(p, whole); err != nil {
			return nil, err
		}
	}
	return re, nil
}

func compileNode(p *parser, n *node) (*regexp2.Regexp, error) {
	text, err := print(p, n)
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(text, regexp2.OptionMaxBacktrackingStackSize(maxStack))
	if err != nil {
		return nil, &Error{Msg: err.Error(), At: len(p.s)}
	}
	re.MatchTimeout = matchTime
	return re, nil
}

func hasKeep(n *node) bool {
	if n == nil {
		return false
	}
	if n.op == opKeep {
		return true
	}
	for _, s := range n.subs {
		if hasKeep(s) {
			return true
		}
	}
	return false
}

// SetMatchLimit bounds the work of one match, in PCRE's steps; 0 is the default.
// The bound is kept as time, at a tenth of a microsecond a step.
func (re *Regexp) SetMatchLimit(steps int) {
	if steps > 0 {
		re.re.MatchTimeout = max(time.Millisecond, time.Duration(steps)*100*time.Nanosecond)
	}
}

// NumGroups is the number of captures.
func (re *Regexp) NumGroups() int { return re.n }

// Names lists the named captures in the order of the pattern.
func (re *Regexp) Names() []Name { return re.names }

// Input is a subject made ready for matching. It is reused through a series of
// matches on one subject, and from one subject to the next.
type Input struct {
	s     string
	ready bool
	utf   bool
	bad   bool // not valid UTF-8
	runes []rune
	off   []int32 // byte offset of each rune and of the end; nil when they are the same
}

// Reset sets the subject.
func (in *Input) Reset(s string) { in.s, in.ready = s, false }

// String gives the subject.
func (in *Input) String() string { return in.s }

func (in *Input) prepare(utf bool) {
	if in.ready && in.utf == utf {
		return
	}
	in.ready, in.utf, in.bad = true, utf, false
	in.off = in.off[:0]
	if cap(in.runes) < len(in.s) {
		in.runes = make([]rune, len(in.s), len(in.s)+len(in.s)/4)
	}
	r := in.runes[:len(in.s)]
	for i := 0; i < len(in.s); i++ {
		c := rune(in.s[i])
		if c >= 0x80 {
			if utf {
				in.prepareUTF()
				return
			}
			c += highByte
		}
		r[i] = c
	}
	in.runes = r
}

func (in *Input) prepareUTF() {
	in.runes, in.off = in.runes[:0], in.off[:0]
	for i := 0; i < len(in.s); {
		r, n := utf8.DecodeRuneInString(in.s[i:])
		in.bad = in.bad || r == utf8.RuneError && n == 1
		in.runes = append(in.runes, r)
		in.off = append(in.off, int32(i))
		i += n
	}
	in.off = append(in.off, int32(len(in.s)))
}

// runeAt turns a byte offset into a rune index; ok is false inside a character.
func (in *Input) runeAt(at int) (int, bool) {
	if len(in.off) == 0 {
		return at, true
	}
	lo, hi := 0, len(in.off)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if int(in.off[mid]) < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, int(in.off[lo]) == at
}

func (in *Input) byteAt(i int) int {
	if len(in.off) == 0 {
		return i
	}
	return int(in.off[i])
}

// Match looks for the first match at or after byte start. It appends to ov[:0]
// the start and end of the match and of every capture, -1 for one that is not
// set; the result is nil without a match.
func (re *Regexp) Match(in *Input, start int, ov []int) ([]int, error) {
	in.prepare(re.flags&UTF8 != 0)
	if in.bad && re.flags&NoUTFCheck == 0 {
		return nil, re.matchErr(ErrBadUTF8, utf8Error(in.s))
	}
	if start > len(in.s) {
		return nil, re.matchErr(ErrBadOffset, Err2BadOffset)
	}
	at, ok := in.runeAt(start)
	if !ok {
		return nil, re.matchErr(ErrBadUTF8Offset, Err2BadUTF8Offset)
	}
	ov = ov[:0]
	err := re.re.FindRunesMatches(in.runes, at, func(m regexp2.MatchView) bool {
		for g := range re.n + 1 {
			i, n, ok := m.GroupRange(g)
			if !ok {
				ov = append(ov, -1, -1)
				continue
			}
			ov = append(ov, in.byteAt(i), in.byteAt(i+n))
		}
		if re.keep > 0 {
			if i, _, ok := m.GroupRange(re.keep); ok {
				ov[0] = in.byteAt(i)
			}
		}
		return false
	})
	if err != nil {
		return nil, re.matchErr(ErrMatchLimit, Err2MatchLimit) // out of time or of stack
	}
	if len(ov) == 0 {
		return nil, nil
	}
	if re.full != nil {
		return re.longest(in, ov)
	}
	return ov, nil
}

// longest looks for a longer match than ov at the same place: what PCRE's other
// algorithm finds.
func (re *Regexp) longest(in *Input, ov []int) ([]int, error) {
	from, _ := in.runeAt(ov[0])
	end, _ := in.runeAt(ov[1])
	for to := len(in.runes); to > end; to-- {
		found := false
		err := re.full.FindRunesMatches(in.runes[:to], from, func(regexp2.MatchView) bool {
			found = true
			return false
		})
		if err != nil {
			return nil, re.matchErr(ErrMatchLimit, Err2MatchLimit) // out of time or of stack
		}
		if found {
			ov[1] = in.byteAt(to)
			break
		}
	}
	return ov, nil
}
