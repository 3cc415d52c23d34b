package conf

import "strings"

// luaBlock reads the Lua text after the "{" at s.pos-1 up to the "}" that closes
// it, and moves behind that. Braces in strings, comments and long brackets do not
// count. A string that its line does not finish is no string (it is an error of
// the Lua code, found later), so its quote is skipped.
func (s *scanner) luaBlock() (string, *Error) {
	start := s.pos
	depth := 1
	lastToken := s.line // nginx names the line of the last token when the file ends
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case '\n':
			s.newline(s.pos)
			s.pos++
		case '{':
			depth++
			lastToken = s.line
			s.pos++
		case '}':
			depth--
			lastToken = s.line
			s.pos++
			if depth == 0 {
				return s.src[start : s.pos-1], nil
			}
		case '"', '\'':
			if s.luaString(c) {
				lastToken = s.line
			}
		case '[':
			found, err := s.luaLongBracket()
			if err != nil {
				return "", err
			}
			if found {
				lastToken = s.line
			}
		case '-':
			found, err := s.luaComment()
			if err != nil {
				return "", err
			}
			if found {
				lastToken = s.line
			}
		default:
			s.pos++
		}
	}
	return "", s.errorf(lastToken, "unexpected end of file, expecting terminating characters for lua code block")
}

// luaString moves behind the string that the quote at s.pos opens, or behind the
// quote when there is none, and tells which.
func (s *scanner) luaString(quote byte) bool {
	var lines []int // offsets of the line feeds inside
	i := s.pos + 1
scan:
	for ; i < len(s.src); i++ {
		switch c := s.src[i]; c {
		case quote:
			for _, l := range lines {
				s.newline(l)
			}
			s.pos = i + 1
			return true
		case '\n':
			break scan
		case '\\':
			i++
			if i == len(s.src) {
				break scan
			}
			switch s.src[i] {
			case '\r':
				if i+1 < len(s.src) && s.src[i+1] == '\n' {
					i++
					lines = append(lines, i)
				}
			case '\n':
				lines = append(lines, i)
			case 'z': // skips the white space that follows
				for i+1 < len(s.src) && strings.IndexByte(" \t\r\n\v\f", s.src[i+1]) >= 0 {
					i++
					if s.src[i] == '\n' {
						lines = append(lines, i)
					}
				}
			}
		}
	}
	s.pos++
	return false
}

// luaLongBracket moves behind the long bracket that opens at s.pos, or behind the
// "[" when none does, and tells which.
func (s *scanner) luaLongBracket() (bool, *Error) {
	open := s.pos + 1
	for open < len(s.src) && s.src[open] == '=' {
		open++
	}
	if open == len(s.src) || s.src[open] != '[' {
		s.pos++
		return false, nil
	}
	closing := "]" + s.src[s.pos+1:open] + "]"
	end := strings.Index(s.src[open+1:], closing)
	if end < 0 {
		return false, s.errorf(s.line, `Lua code block missing the closing long bracket "`+closing+
			`", the inlined Lua code may be too long`)
	}
	end += open + 1 + len(closing)
	for i := s.pos; i < end; i++ {
		if s.src[i] == '\n' {
			s.newline(i)
		}
	}
	s.pos = end
	return true, nil
}

// luaComment moves behind the comment that starts at s.pos, or behind the "-"
// when none does, and tells which. The line feed after a short comment stays.
func (s *scanner) luaComment() (bool, *Error) {
	s.pos++
	if s.pos == len(s.src) || s.src[s.pos] != '-' {
		return false, nil
	}
	s.pos++
	if s.pos < len(s.src) && s.src[s.pos] == '[' {
		if long, err := s.luaLongBracket(); long || err != nil {
			return long, err
		}
	}
	if n := strings.IndexByte(s.src[s.pos:], '\n'); n >= 0 {
		s.pos += n
	} else {
		s.pos = len(s.src)
	}
	return true, nil
}
