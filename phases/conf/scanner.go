package conf

import "strings"

// maxWord is the size of the buffer nginx reads a configuration file through
// (NGX_CONF_BUFFER). A word that fills it is an error there, nearly always a
// missing quote, and so it is here.
const maxWord = 4096

// terminator says what ended a directive's list of words.
type terminator int

const (
	endSemicolon terminator = iota // ";"
	endOpen                        // "{"
	endClose                       // "}", which stands alone
	endFile
)

// scanner cuts one file into directives.
type scanner struct {
	src       string
	file      string
	shortFile string
	param     bool // the text comes from option -g
	pos       int
	line      int
	lineStart int // offset of the first byte of the line
}

// word is one word of a directive.
type word struct {
	text  string
	pos   Pos
	start Pos // of the text; Col 0 when escapes were resolved
}

func (s *scanner) errorf(line int, msg string) *Error {
	return &Error{Msg: msg, File: s.file, Line: line}
}

// at returns the place of the byte at offset, which is on the current line.
func (s *scanner) at(offset int) Pos {
	return Pos{Line: s.line, Col: offset - s.lineStart + 1}
}

// newline counts the line feed at offset.
func (s *scanner) newline(offset int) {
	s.line++
	s.lineStart = offset + 1
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n'
}

// next reads the words of one directive and its terminator.
func (s *scanner) next() ([]word, terminator, *Error) {
	var words []word
	for {
		if err := s.skipSpace(); err != nil {
			return words, 0, err
		}
		if s.pos == len(s.src) {
			if len(words) > 0 {
				return words, 0, s.unexpectedEnd()
			}
			return nil, endFile, nil
		}
		switch c := s.src[s.pos]; c {
		case ';', '{':
			if len(words) == 0 {
				return nil, 0, s.unexpected(c)
			}
			s.pos++
			if c == ';' {
				return words, endSemicolon, nil
			}
			return words, endOpen, nil
		case '}':
			if len(words) > 0 {
				return words, 0, s.unexpected(c)
			}
			s.pos++
			return nil, endClose, nil
		case '"', '\'':
			w, err := s.quoted(c)
			if err != nil {
				return words, 0, err
			}
			words = append(words, w)
		default:
			w, err := s.bare()
			if err != nil {
				return words, 0, err
			}
			words = append(words, w)
		}
	}
}

func (s *scanner) unexpected(c byte) *Error {
	return s.errorf(s.line, `unexpected "`+string(rune(c))+`"`)
}

func (s *scanner) unexpectedEnd() *Error {
	if s.param {
		return s.errorf(s.line, `unexpected end of parameter, expecting ";"`)
	}
	return s.errorf(s.line, `unexpected end of file, expecting ";" or "}"`)
}

// skipSpace moves to the next byte that is neither white space nor part of a
// comment.
func (s *scanner) skipSpace() *Error {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '\n':
			s.newline(s.pos)
		case c == '#':
			start := s.pos
			for s.pos < len(s.src) && s.src[s.pos] != '\n' {
				if s.tooLong(start) {
					return s.tooLongError(s.line, start, 0)
				}
				s.pos++
			}
			continue
		case !isSpace(c):
			return nil
		}
		s.pos++
	}
	return nil
}

// tooLong tells whether nginx's buffer is full of the word that starts at start
// when it wants to read the byte at s.pos. Text from the command line is not
// read through a buffer.
func (s *scanner) tooLong(start int) bool {
	return !s.param && s.pos-start >= maxWord
}

func (s *scanner) tooLongError(line, start int, quote byte) *Error {
	if quote != 0 {
		return s.errorf(line, `too long parameter, probably missing terminating "`+string(rune(quote))+`" character`)
	}
	return s.errorf(line, `too long parameter "`+s.src[start:start+10]+`..." started`)
}

// quoted reads the word that the quote at s.pos opens. White space, ";", "{" or
// ")" must follow the closing quote; the ")" begins a word of its own, so that
// if ($x = "y") needs no space.
func (s *scanner) quoted(quote byte) (word, *Error) {
	w := word{pos: s.at(s.pos)}
	line := s.line
	s.pos++
	start := s.pos
	w.start = s.at(start)
	for ; ; s.pos++ {
		if s.pos >= len(s.src) {
			return w, s.unexpectedEnd()
		}
		if s.tooLong(start) {
			return w, s.tooLongError(line, start, quote)
		}
		switch s.src[s.pos] {
		case '\n':
			s.newline(s.pos)
			continue
		case '\\':
			if s.pos+1 < len(s.src) {
				s.pos++
				if s.src[s.pos] == '\n' {
					s.newline(s.pos)
				}
			}
			continue
		case quote:
		default:
			continue
		}
		break
	}
	w.finish(s.src[start:s.pos])
	s.pos++
	if s.pos == len(s.src) {
		return w, nil
	}
	switch c := s.src[s.pos]; {
	case c == ')' || c == ';' || c == '{' || isSpace(c):
	default:
		return w, s.unexpected(c)
	}
	return w, nil
}

// bare reads an unquoted word. It ends at white space, ";" or "{", but the "{"
// of "${name}" belongs to it.
func (s *scanner) bare() (word, *Error) {
	w := word{pos: s.at(s.pos), start: s.at(s.pos)}
	line, start := s.line, s.pos
	dollar := false
	for ; s.pos < len(s.src); s.pos++ {
		if s.tooLong(start) {
			return w, s.tooLongError(line, start, 0)
		}
		c := s.src[s.pos]
		if c == '{' && dollar {
			dollar = false
			continue
		}
		dollar = c == '$'
		if c == '\\' && s.pos+1 < len(s.src) {
			s.pos++
			if s.src[s.pos] == '\n' {
				s.newline(s.pos)
			}
			continue
		}
		if c == ';' || c == '{' || isSpace(c) {
			w.finish(s.src[start:s.pos])
			return w, nil
		}
	}
	return w, s.unexpectedEnd()
}

// finish sets w's text, resolving the escapes of raw.
func (w *word) finish(raw string) {
	w.text = unescape(raw)
	if len(w.text) != len(raw) {
		w.start.Col = 0
	}
}

// unescape resolves the escapes nginx knows in words: \" \' \\ \t \r \n. Any
// other backslash stays, which regular expressions rely on.
func unescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			switch next := text[i+1]; next {
			case '"', '\'', '\\':
				c = next
				i++
			case 't':
				c = '\t'
				i++
			case 'r':
				c = '\r'
				i++
			case 'n':
				c = '\n'
				i++
			}
		}
		out = append(out, c)
	}
	return string(out)
}
