package regex

import "strconv"

// Error is a pattern error in PCRE's words. At is the byte offset PCRE reports.
type Error struct {
	Msg string
	At  int
}

func (e *Error) Error() string { return e.Msg }

// Text is ngx_lua's and nginx's message about the pattern; they name the function of
// the library that they were built with.
func (e *Error) Text(pattern string, flags Flags) string {
	text := "pcre_compile() failed: "
	if flags&PCRE2 != 0 {
		text = "pcre2_compile() failed: "
	}
	text += e.Msg + ` in "` + pattern + `"`
	if e.At < len(pattern) {
		text += ` at "` + pattern[e.At:] + `"`
	}
	return text
}

// pcre2Texts are the messages that PCRE 2 words unlike PCRE 1, which are ours.
var pcre2Texts = map[string]string{
	"missing )":             "missing closing parenthesis",
	"unmatched parentheses": "unmatched closing parenthesis",
	"nothing to repeat":     "quantifier does not follow a repeatable item",
	"syntax error in subpattern name (missing terminator)": "syntax error in subpattern name (missing terminator?)",
	"group name must start with a non-digit":               "subpattern name must start with a non-digit",
	"subpattern name is too long (maximum 32 characters)":  "subpattern name is too long (maximum 32 code units)",
	"two named subpatterns have the same name":             "two named subpatterns have the same name (PCRE2_DUPNAMES not set)",
	`unknown property name after \P or \p`:                 `unknown property after \P or \p`,
	"missing ) after comment":                              "missing ) after (?# comment",
	`character value in \x{} or \o{} is too large`:         `character code point value in \x{} or \o{} is too large`,
	noCaseEscapes: `PCRE2 does not support \F, \L, \l, \N{name}, \U, or \u`,
	`\c must be followed by an ASCII character`:         `\c must be followed by a printable ASCII character`,
	"digit expected after (?+":                          "digit expected after (?+ or (?-",
	"conditional group contains more than two branches": "conditional subpattern contains more than two branches",
	"DEFINE group contains more than one branch":        "DEFINE subpattern contains more than one branch",
}

// missingDigits1 is PCRE 1's message for \x{} and \o{}.
const missingDigits1 = `digits missing in \x{} or \o{}`

// Messages that only PCRE 2 has.
const (
	unknownEscape = `unrecognized character follows \`
	missingDigits = `digits missing in \x{} or \o{} or \N{U+}`
	missingName   = "subpattern name expected"
	badGroupCall  = "(?R (recursive pattern call) must be followed by a closing parenthesis"
	badNumbered   = `\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number`
)

func (p *parser) is2() bool { return p.flags&PCRE2 != 0 }

// errAt is an error that both releases place alike.
func (p *parser) errAt(at int, msg string) error { return p.errIn(at, at, msg) }

// errIn is an error that PCRE 1 places at one offset and PCRE 2 at another one.
func (p *parser) errIn(at, at2 int, msg string) error { return p.either(at, msg, at2, msg) }

// either is the error of PCRE 1 or that of PCRE 2.
func (p *parser) either(at int, msg string, at2 int, msg2 string) error {
	if p.is2() {
		at, msg = at2, msg2
		if text, ok := pcre2Texts[msg]; ok {
			msg = text
		}
	}
	return &Error{Msg: msg, At: min(at, len(p.s))}
}

// MatchError is an error of a match.
type MatchError struct{ Code int }

// Error words the error as ngx_lua does, with both releases of PCRE.
func (e *MatchError) Error() string { return "pcre_exec() failed: " + strconv.Itoa(e.Code) }

// Codes of MatchError under PCRE 1, and under PCRE 2 (which tells what is wrong with
// UTF-8 by a code of its own).
const (
	ErrMatchLimit    = -8
	ErrBadUTF8       = -10
	ErrBadUTF8Offset = -11
	ErrBadOffset     = -24

	Err2MatchLimit    = -47
	Err2BadUTF8Offset = -36
	Err2BadOffset     = -33
)

// matchErr is an error by the codes of both releases.
func (re *Regexp) matchErr(code, code2 int) error {
	if re.flags&PCRE2 != 0 {
		code = code2
	}
	return &MatchError{code}
}

// utf8Error is PCRE 2's code for the first thing wrong with a text that is not UTF-8.
func utf8Error(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c < 0x80 {
			i++
			continue
		}
		more := 0
		switch {
		case c < 0xC0:
			return -22 // a lone continuation byte
		case c >= 0xFE:
			return -23
		case c >= 0xFC:
			more = 5
		case c >= 0xF8:
			more = 4
		case c >= 0xF0:
			more = 3
		case c >= 0xE0:
			more = 2
		default:
			more = 1
		}
		if left := len(s) - i - 1; left < more {
			return left - more - 2 // bytes that are missing at the end
		}
		if code := sequenceError(s[i:], more); code != 0 {
			return code
		}
		i += more + 1
	}
	return 0
}

// sequenceError looks at one sequence of more+1 bytes.
func sequenceError(s string, more int) int {
	c, d := s[0], s[1]
	continues := func(k int) bool { return s[k]&0xC0 == 0x80 }
	if !continues(1) {
		return -8
	}
	switch {
	case more == 1:
		if c&0x3E == 0 {
			return -17
		}
		return 0
	case !continues(2):
		return -9
	case more == 2 && c == 0xE0 && d&0x20 == 0:
		return -18
	case more == 2 && c == 0xED && d >= 0xA0:
		return -16 // a surrogate
	case more == 2:
		return 0
	case !continues(3):
		return -10
	case more == 3 && c == 0xF0 && d&0x30 == 0:
		return -19
	case more == 3 && (c > 0xF4 || c == 0xF4 && d > 0x8F):
		return -15 // above 0x10FFFF
	case more == 3:
		return 0
	case !continues(4):
		return -11
	case more == 4 && c == 0xF8 && d&0x38 == 0:
		return -20
	case more == 4:
		return -13
	case !continues(5):
		return -12
	case c == 0xFC && d&0x3C == 0:
		return -21
	}
	return -14
}
