package upstream

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// headParser reads the lines of an upstream's head as ngx_http_proxy_module does. They
// are parsed when they are there, and from their start again when they were not.
type headParser struct {
	text    []byte // that was parsed last
	at      int    // offset of the line that comes next
	started bool
	status  headLine
	lines   []headLine
}

// headLine is one header line, as offsets; that of the status has no name.
type headLine struct{ name, nameEnd, value, valueEnd int }

// ParseHTTP reads a head with a status line from b; each call has the whole head as far
// as it came. n is where the head ends. What does not begin with a status line has no
// head: it is ResponseHead.Bare. The error is a HeadError.
func (r *ResponseReader) ParseHTTP(b []byte) (n int, done bool, err error) {
	p := &r.lines
	p.text = b
	if !p.started {
		n, ok := p.statusLine(b, &r.Head)
		if !ok {
			r.Head = ResponseHead{Length: -1, Bare: true, Close: true}
			return 0, true, nil
		}
		if n == 0 {
			return 0, false, nil
		}
		p.at, p.started = n, true
	}
	return p.headers(b, &r.Head)
}

// ParseHeaders reads a head without a status line, as ParseHTTP does. Its status is 0.
func (r *ResponseReader) ParseHeaders(b []byte) (n int, done bool, err error) {
	r.lines.text = b
	return r.lines.headers(b, &r.Head)
}

// headers goes on in the lines of b behind the status.
func (p *headParser) headers(b []byte, h *ResponseHead) (n int, done bool, err error) {
	for {
		l, end, bad := scanHeaderLine(b, p.at)
		switch {
		case bad >= 0:
			p.collect(h)
			return 0, false, HeadError(fmt.Sprintf("upstream sent invalid header: \"%s\\x%02x...\"", b[l.name:bad], b[bad]))
		case end < 0:
			return 0, false, nil
		}
		p.at = end
		if l.nameEnd == l.name {
			p.collect(h)
			return p.at, true, h.interpret()
		}
		if l.nameEnd > 0 {
			p.lines = append(p.lines, l)
		}
	}
}

// statusLine parses "HTTP/1.1 200 OK". n is 0 for one that is not complete; ok is
// false for what is none (ngx_http_parse_status_line).
func (p *headParser) statusLine(b []byte, h *ResponseHead) (n int, ok bool) {
	const proto = "HTTP/"
	for i := range min(len(proto), len(b)) {
		if b[i] != proto[i] {
			return 0, false
		}
	}
	at := len(proto)
	major, at, ok := versionNumber(b, at, '.')
	if at < 0 || !ok || major == 0 {
		return 0, ok && (at < 0 || major > 0)
	}
	minor, at, ok := versionNumber(b, at, ' ')
	if at < 0 || !ok {
		return 0, ok
	}
	for at < len(b) && b[at] == ' ' {
		at++
	}
	start := at
	for ; at < start+3; at++ {
		if at >= len(b) {
			return 0, true
		}
		if !isDigit(b[at]) {
			return 0, false
		}
	}
	if at == len(b) {
		return 0, true
	}
	switch b[at] {
	case ' ', '.', '\r', '\n':
	default:
		return 0, false
	}
	for ; at < len(b); at++ {
		switch b[at] {
		case '\r':
			if at+1 == len(b) {
				return 0, true
			}
			if b[at+1] != '\n' {
				return 0, false
			}
			n = at + 2
		case '\n':
			n = at + 1
		default:
			continue
		}
		p.status = headLine{value: start, valueEnd: at}
		h.Status = int(b[start]-'0')*100 + int(b[start+1]-'0')*10 + int(b[start+2]-'0')
		h.Close = major < 1 || major == 1 && minor < 1
		return n, true
	}
	return 0, true
}

// versionNumber reads one or two digits up to the byte end; at is behind it, or
// -1 when it has not come yet.
func versionNumber(b []byte, from int, end byte) (value, at int, ok bool) {
	for at = from; at < len(b); at++ {
		switch c := b[at]; {
		case isDigit(c):
			if value = value*10 + int(c-'0'); value > 99 {
				return 0, 0, false
			}
		case c == end && at > from:
			return value, at + 1, true
		default:
			return 0, 0, false
		}
	}
	return value, -1, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// scanHeaderLine finds the parts of the line at offset from; end is behind it,
// or -1 when it is not complete. bad is the offset of a byte that may not stand
// there, -1 without. An empty line has an empty name; a line to be passed over
// has no name at all (ngx_http_parse_header_line).
func scanHeaderLine(b []byte, from int) (l headLine, end, bad int) {
	l = headLine{name: from, nameEnd: from, value: from, valueEnd: from}
	i := from
	for ; ; i++ {
		if i >= len(b) {
			return l, -1, -1
		}
		c := b[i]
		if c == ':' && i > from {
			break
		}
		if c == '\r' || c == '\n' {
			l.nameEnd, l.value, l.valueEnd = i, i, i
			end, bad = lineEnd(b, i)
			return l, end, bad
		}
		if c == '/' && i == from+4 && string(b[from:i]) == "HTTP" { // a second status line
			for ; i < len(b); i++ {
				if b[i] == '\n' {
					return headLine{nameEnd: -1}, i + 1, -1
				}
			}
			return l, -1, -1
		}
		if c <= ' ' || c == 0x7f || c == ':' {
			return l, -1, i
		}
	}
	l.nameEnd = i
	for i++; i < len(b) && b[i] == ' '; i++ {
	}
	l.value, l.valueEnd = i, i
	for ; i < len(b); i++ {
		switch b[i] {
		case 0:
			return l, -1, i
		case ' ':
		case '\r', '\n':
			end, bad = lineEnd(b, i)
			if bad >= 0 {
				bad = l.valueEnd
			}
			return l, end, bad
		default:
			l.valueEnd = i + 1
		}
	}
	return l, -1, -1
}

// lineEnd is where the line ends that has a CR or LF at i.
func lineEnd(b []byte, i int) (end, bad int) {
	switch {
	case b[i] == '\n':
		return i + 1, -1
	case i+1 == len(b):
		return -1, -1
	case b[i+1] == '\n':
		return i + 2, -1
	}
	return -1, i
}

// collect makes texts of the lines: one string that all of them share.
func (p *headParser) collect(h *ResponseHead) {
	text := string(p.text[:min(p.at, len(p.text))])
	if p.started { // with a status line
		h.Line = text[p.status.value:p.status.valueEnd]
	}
	h.Headers = make(core.Headers, 0, len(p.lines)+1)
	for _, l := range p.lines {
		h.Headers = append(h.Headers, core.Header{Name: text[l.name:l.nameEnd], Value: text[l.value:l.valueEnd]})
	}
}

// interpret finds what the headers say about the framing of the body. Two
// statements about it, or one that cannot be understood, are an error: newer
// nginx refuses them, and what came behind such a response might be taken for
// another's.
func (h *ResponseHead) interpret() error {
	h.Length = -1
	var first *core.Header
	for i := range h.Headers {
		line := &h.Headers[i]
		switch len(line.Name) {
		case len("Connection"):
			if ngxtext.EqualFold(line.Name, "Connection") && containsText(line.Value, "close") {
				h.Close = true
			}
			continue
		case len("Content-Length"), len("Transfer-Encoding"):
		default:
			continue
		}
		isLength := ngxtext.EqualFold(line.Name, "Content-Length")
		if !isLength && !ngxtext.EqualFold(line.Name, "Transfer-Encoding") {
			continue
		}
		switch {
		case first != nil && ngxtext.EqualFold(first.Name, line.Name):
			return HeadError(fmt.Sprintf("upstream sent duplicate header line: \"%s: %s\", previous value: \"%s: %s\"",
				line.Name, line.Value, first.Name, first.Value))
		case first != nil:
			return HeadError("upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time")
		case isLength:
			n, ok := ngxtext.ParseDecimal(line.Value)
			if !ok {
				return HeadError(fmt.Sprintf("upstream sent invalid \"Content-Length\" header: \"%s: %s\"", line.Name, line.Value))
			}
			h.Length = n
		case !ngxtext.EqualFold(line.Value, "chunked"):
			return HeadError(fmt.Sprintf("upstream sent unknown \"Transfer-Encoding\": \"%s\"", line.Value))
		default:
			h.Chunked = true
		}
		first = line
	}
	return nil
}

// containsText reports whether s holds the lower-case text in any case.
func containsText(s, text string) bool {
	return strings.Contains(ngxtext.Lower(s), text)
}
