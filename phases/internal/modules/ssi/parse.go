package ssi

import (
	"bytes"
	"fmt"
)

// What parser.next came to.
const (
	atEnd     = iota // of the piece
	atText           // before a command
	atCommand        // one is complete
	atFault          // a command is malformed; fault says how
	atError          // the end of a malformed command
)

// Bounds of a command and of the names of its parameters, in bytes.
const (
	maxCommand = 32
	maxKey     = 32
)

// parser finds commands in a body that comes in pieces (ngx_http_ssi_parse).
type parser struct {
	longest int // value of a parameter, in bytes
	piece   []byte
	opening int // bytes of the opening that have been seen, which are text if it does not go on
	state   func(p *parser, c byte) int
	quote   byte
	escaped bool

	command []byte
	params  []param
	fault   string
}

// param is a parameter of a command.
type param struct{ key, value []byte }

// opening is what every command begins with.
const opening = "<!--#"

// next gives the text up to what it found.
func (p *parser) next() (text []byte, what int) {
	if p.state == nil {
		var found bool
		if text, found = p.text(); !found {
			return text, atEnd
		}
		p.command, p.params = p.command[:0], nil
		p.state = (*parser).beforeCommand
		if len(text) > 0 {
			return text, atText
		}
	}
	for len(p.piece) > 0 {
		c := p.piece[0]
		p.piece = p.piece[1:]
		if what := p.state(p, c); what != atEnd {
			return nil, what
		}
	}
	return nil, atEnd
}

// text takes what stands before the next opening. The beginning of one at the end of the
// piece waits for the next.
func (p *parser) text() (text []byte, found bool) {
	if p.opening > 0 {
		n := 0
		for p.opening+n < len(opening) && n < len(p.piece) && p.piece[n] == opening[p.opening+n] {
			n++
		}
		switch {
		case p.opening+n == len(opening):
			p.opening, p.piece = 0, p.piece[n:]
			return nil, true
		case n == len(p.piece):
			p.opening += n
			p.piece = nil
			return nil, false
		}
		text = append(text, opening[:p.opening]...) // it did not go on; another one may have begun in what did
		p.opening = 0
	}
	if i := bytes.Index(p.piece, []byte(opening)); i >= 0 {
		text = append(text, p.piece[:i]...)
		p.piece = p.piece[i+len(opening):]
		return text, true
	}
	end := len(p.piece)
	for n := min(len(opening)-1, end); n > 0; n-- {
		if string(p.piece[end-n:]) == opening[:n] {
			p.opening, end = n, end-n
			break
		}
	}
	text = append(text, p.piece[:end]...)
	p.piece = nil
	return text, false
}

// rest is the beginning of an opening that did not come to its end.
func (p *parser) rest() []byte {
	n := p.opening
	p.opening = 0
	return []byte(opening[:n])
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// refuse notes what is wrong with a command; what is left of it is skipped.
func (p *parser) refuse(c byte, format string, args ...any) int {
	p.fault = fmt.Sprintf(format, args...)
	p.state = (*parser).skip
	if c == '-' {
		p.state = (*parser).skipDash
	}
	return atFault
}

func (p *parser) beforeCommand(c byte) int {
	if !isBlank(c) {
		p.command = append(p.command, c)
		p.state = (*parser).inCommand
	}
	return atEnd
}

func (p *parser) inCommand(c byte) int {
	switch {
	case isBlank(c):
		p.state = (*parser).beforeParam
	case c == '-':
		p.state = (*parser).dash
	case len(p.command) == maxCommand:
		return p.refuse(0, "the \"%s%c...\" SSI command is too long", p.command, c)
	default:
		p.command = append(p.command, c)
	}
	return atEnd
}

func (p *parser) beforeParam(c byte) int {
	switch {
	case isBlank(c):
	case c == '-':
		p.state = (*parser).dash
	default:
		p.params = append(p.params, param{key: []byte{c}})
		p.state = (*parser).inKey
	}
	return atEnd
}

// last is the parameter that is being read.
func (p *parser) last() *param { return &p.params[len(p.params)-1] }

func (p *parser) inKey(c byte) int {
	k := &p.last().key
	switch {
	case isBlank(c):
		p.state = (*parser).beforeEqual
	case c == '=':
		p.state = (*parser).beforeValue
	case c == '-':
		return p.refuse(c, "unexpected \"-\" symbol after \"%s\" parameter in \"%s\" SSI command", *k, p.command)
	case len(*k) == maxKey:
		return p.refuse(0, "too long \"%s%c...\" parameter in \"%s\" SSI command", *k, c, p.command)
	default:
		*k = append(*k, c)
	}
	return atEnd
}

func (p *parser) beforeEqual(c byte) int {
	switch {
	case isBlank(c):
	case c == '=':
		p.state = (*parser).beforeValue
	default:
		return p.refuse(c, "unexpected \"%c\" symbol after \"%s\" parameter in \"%s\" SSI command", c, p.last().key, p.command)
	}
	return atEnd
}

func (p *parser) beforeValue(c byte) int {
	switch {
	case isBlank(c):
	case c == '"', c == '\'':
		p.quote, p.escaped = c, false
		p.state = (*parser).inValue
	default:
		return p.refuse(c, "unexpected \"%c\" symbol before value of \"%s\" parameter in \"%s\" SSI command", c, p.last().key, p.command)
	}
	return atEnd
}

// inValue reads a value. Escapes stay, for those who make a text of it.
func (p *parser) inValue(c byte) int {
	if c == p.quote && !p.escaped {
		p.state = (*parser).behindValue
		return atEnd
	}
	v := &p.last().value
	if len(*v) == p.longest {
		return p.refuse(0, "too long \"%s%c...\" value of \"%s\" parameter in \"%s\" SSI command", *v, c, p.last().key, p.command)
	}
	p.escaped = c == '\\' && !p.escaped
	*v = append(*v, c)
	return atEnd
}

func (p *parser) behindValue(c byte) int {
	switch {
	case isBlank(c):
		p.state = (*parser).beforeParam
	case c == '-':
		p.state = (*parser).dash
	default:
		return p.refuse(0, "unexpected \"%c\" symbol after \"%s\" value of \"%s\" parameter in \"%s\" SSI command", c, p.last().value, p.last().key, p.command)
	}
	return atEnd
}

func (p *parser) dash(c byte) int {
	if c != '-' {
		return p.refuse(0, "unexpected \"%c\" symbol in \"%s\" SSI command", c, p.command)
	}
	p.state = (*parser).dashes
	return atEnd
}

func (p *parser) dashes(c byte) int {
	if c != '>' {
		return p.refuse(0, "unexpected \"%c\" symbol in \"%s\" SSI command", c, p.command)
	}
	p.state = nil
	return atCommand
}

// skip and those behind it look for the end of a malformed command.
func (p *parser) skip(c byte) int {
	if c == '-' {
		p.state = (*parser).skipDash
	}
	return atEnd
}

func (p *parser) skipDash(c byte) int {
	p.state = (*parser).skip
	if c == '-' {
		p.state = (*parser).skipDashes
	}
	return atEnd
}

func (p *parser) skipDashes(c byte) int {
	if c != '>' {
		p.state = (*parser).skip
		return atEnd
	}
	p.state = nil
	return atError
}
