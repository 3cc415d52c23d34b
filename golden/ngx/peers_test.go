package ngx

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// speaker says by the first byte of a request how it is read, and how echo answers it.
//
// The path of FastCGI, uwsgi and SCGI is the parameter SCRIPT_NAME; echo answers with the
// parameters and the body. More commands are for FastCGI:
//
//	stdout "text"        a record with a part of the answer
//	stderr "text"        a record with a part of what belongs into the log
//	record 6 3 "text"    a record of a type, with so many bytes of padding
//	end                  the records that end a request
//
// The path of memcached is the whole line of a command, "get key"; data that the line
// announces is read and part of the path, quoted. echo answers STORED.
// late says that what commands write together goes out at once.
func speaker(rd *bufio.Reader) (read func(*bufio.Reader) (request, path string), answer func(request string) string, late bool) {
	first, _ := rd.Peek(1)
	switch {
	case len(first) == 0:
	case first[0] == 1:
		return readFastCGI, func(request string) string {
			return record(6, 0, "Content-Type: text/plain\r\n\r\n"+request) + record(6, 0, "") + record(3, 0, "\x00\x00\x00\x00\x00\x00\x00\x00")
		}, true
	case first[0] == 0:
		return readUWSGI, answerCGI, true
	case first[0] >= '0' && first[0] <= '9':
		return readSCGI, answerCGI, true
	case first[0] >= 'a' && first[0] <= 'z':
		return readMemcached, func(string) string { return "STORED\r\n" }, true
	}
	return readRequest, answerHTTP, false
}

// lateConn holds what is written until flush.
type lateConn struct {
	net.Conn
	held []byte
}

func (c *lateConn) Write(p []byte) (int, error) {
	c.held = append(c.held, p...)
	return len(p), nil
}

func flush(c net.Conn) {
	if late, ok := c.(*lateConn); ok {
		_, _ = late.Conn.Write(late.held)
		late.held = nil
	}
}

func unwrap(c net.Conn) net.Conn {
	if late, ok := c.(*lateConn); ok {
		return late.Conn
	}
	return c
}

func answerCGI(request string) string {
	return fmt.Sprintf("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
}

// record is a record of FastCGI.
func record(kind, padding byte, text string) string {
	head := []byte{1, kind, 0, 1, byte(len(text) >> 8), byte(len(text)), padding, 0}
	return string(head) + text + strings.Repeat("\x00", int(padding))
}

func runFastCGI(c net.Conn, word, rest string) bool {
	kind, padding := 6, 0
	switch word {
	case "stderr":
		kind = 7
	case "end":
		_, err := io.WriteString(c, record(6, 0, "")+record(3, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"))
		return err == nil
	case "record":
		if _, err := fmt.Sscanf(rest, "%d %d", &kind, &padding); err != nil {
			return false
		}
		_, rest, _ = strings.Cut(rest, " ")
		_, rest, _ = strings.Cut(rest, " ")
	}
	text, err := strconv.Unquote(rest)
	if err != nil {
		text = "bad command: " + rest
	}
	_, err = io.WriteString(c, record(byte(kind), byte(padding), text))
	return err == nil
}

// readFastCGI reads the records of a request and shows them: role and flags, parameters
// in their order, how long the records of the body are, and the body.
func readFastCGI(rd *bufio.Reader) (text, path string) {
	p := params{path: "*"}
	var given, body []byte
	var sizes []string
	for {
		var head [8]byte
		if _, err := io.ReadFull(rd, head[:]); err != nil {
			return "", ""
		}
		content := make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6]))
		if _, err := io.ReadFull(rd, content); err != nil {
			return "", ""
		}
		content = content[:len(content)-int(head[6])]
		switch head[1] {
		case 1:
			fmt.Fprintf(&p.text, "role %d flags %d\n", binary.BigEndian.Uint16(content), content[2])
		case 4:
			given = append(given, content...)
		case 5:
			body = append(body, content...)
			sizes = append(sizes, fmt.Sprintf("%d+%d", len(content), head[6]))
			if len(content) == 0 {
				p.fastCGI(given)
				fmt.Fprintf(&p.text, "stdin %s\n", strings.Join(sizes, " "))
				writeBody(&p.text, body)
				return p.text.String(), p.path
			}
		}
	}
}

// writeBody shows a body, a long one by its length.
func writeBody(b *strings.Builder, body []byte) {
	if len(body) > 1000 {
		fmt.Fprintf(b, "%d bytes\n", len(body))
	} else {
		b.Write(body)
	}
}

// params shows parameters as they come and keeps two of them.
type params struct {
	text   strings.Builder
	path   string // SCRIPT_NAME
	length int    // CONTENT_LENGTH
}

func (p *params) add(name, value string) {
	fmt.Fprintf(&p.text, "%s=%s\n", name, value)
	switch name {
	case "SCRIPT_NAME":
		p.path = value
	case "CONTENT_LENGTH":
		p.length, _ = strconv.Atoi(value)
	}
}

// fastCGI takes the content of params records apart.
func (p *params) fastCGI(b []byte) {
	length := func() (n int) {
		switch {
		case len(b) > 0 && b[0] < 0x80:
			n, b = int(b[0]), b[1:]
		case len(b) > 3:
			n, b = int(binary.BigEndian.Uint32(b)&0x7fffffff), b[4:]
		}
		return n
	}
	for len(b) > 0 {
		name, value := length(), length()
		if len(b) < name+value {
			p.text.WriteString("short parameters\n")
			return
		}
		p.add(string(b[:name]), string(b[name:name+value]))
		b = b[name+value:]
	}
}

// readUWSGI reads a packet of uwsgi and the body that CONTENT_LENGTH announces.
func readUWSGI(rd *bufio.Reader) (text, path string) {
	var head [4]byte
	if _, err := io.ReadFull(rd, head[:]); err != nil {
		return "", ""
	}
	b := make([]byte, binary.LittleEndian.Uint16(head[1:]))
	if _, err := io.ReadFull(rd, b); err != nil {
		return "", ""
	}
	p := params{path: "*"}
	fmt.Fprintf(&p.text, "modifiers %d %d\n", head[0], head[3])
	next := func() (s string) {
		if len(b) >= 2 {
			n := int(binary.LittleEndian.Uint16(b))
			b = b[2:]
			s, b = string(b[:min(n, len(b))]), b[min(n, len(b)):]
		}
		return s
	}
	for len(b) > 0 {
		name := next()
		p.add(name, next())
	}
	return p.withBody(rd)
}

// readSCGI reads a netstring of names and values and the body that it announces.
func readSCGI(rd *bufio.Reader) (text, path string) {
	size, err := rd.ReadString(':')
	n, _ := strconv.Atoi(strings.TrimSuffix(size, ":"))
	b := make([]byte, n+1) // with the comma
	if _, short := io.ReadFull(rd, b); err != nil || short != nil {
		return "", ""
	}
	p := params{path: "*"}
	items := strings.Split(string(b[:n]), "\x00")
	for i := 0; i+1 < len(items); i += 2 {
		p.add(items[i], items[i+1])
	}
	fmt.Fprintf(&p.text, "end %q\n", b[n])
	return p.withBody(rd)
}

func (p *params) withBody(rd *bufio.Reader) (text, path string) {
	body := make([]byte, p.length)
	n, _ := io.ReadFull(rd, body)
	writeBody(&p.text, body[:n])
	return p.text.String(), p.path
}

// readMemcached reads a command, with the data behind those that store.
func readMemcached(rd *bufio.Reader) (text, path string) {
	line, err := rd.ReadString('\n')
	if err != nil {
		return "", ""
	}
	words := strings.Fields(line)
	if len(words) >= 5 && strings.Contains(" set add replace append prepend cas ", " "+words[0]+" ") {
		n, _ := strconv.Atoi(words[4])
		data := make([]byte, n+2)
		_, _ = io.ReadFull(rd, data)
		return line + string(data), fmt.Sprintf("%s %q", strings.TrimRight(line, "\r\n"), data)
	}
	return line, strings.TrimRight(line, "\r\n")
}
