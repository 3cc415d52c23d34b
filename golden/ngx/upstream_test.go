package ngx

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// An upstream is the server behind a case's proxy_pass: it answers each path
// with the raw bytes that the section `upstream` says, whatever they are worth.
// The section holds entries of a path and commands below it, indented:
//
//	/path
//		send "HTTP/1.1 200 OK\r\n..."  {conn} is the number of the connection
//		repeat 3000 "X: a\r\n"
//		echo                           answer 200 with the request as it came
//		pause                          wait for 50 ms
//		close                          else the next request is read
//		reset                          close with a RST
//		hang                           read until the peer closes
//
// By the first byte of a connection it speaks FastCGI, uwsgi, SCGI or memcached's
// protocol instead (see peers_test.go). The path * stands for all others. @UPSTREAM@ in
// the case's configuration is its port, @PORT@ the case's own, @PREFIX@ the server's root.
type upstream struct {
	listener net.Listener
	entries  map[string][]string
}

func startUpstream(l net.Listener, script string) *upstream {
	u := &upstream{listener: l, entries: map[string][]string{}}
	path := ""
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "\t"); ok {
			u.entries[path] = append(u.entries[path], command)
		} else if path = line; path != "" {
			u.entries[path] = []string{}
		}
	}
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go u.serve(c, n)
		}
	}()
	return u
}

func (u *upstream) port() int { return u.listener.Addr().(*net.TCPAddr).Port }

// serve answers the requests of one connection.
func (u *upstream) serve(c net.Conn, number int) {
	defer c.Close()
	rd := bufio.NewReader(c)
	for {
		read, answer, late := speaker(rd)
		request, path := read(rd)
		if path == "" {
			return
		}
		commands, ok := u.entries[path]
		if !ok {
			commands = u.entries["*"]
		}
		to := c
		if late {
			to = &lateConn{Conn: c}
		}
		for _, command := range commands {
			if !run(to, rd, command, answer(request), number) {
				return
			}
		}
		flush(to)
	}
}

// answerHTTP is what echo answers.
func answerHTTP(request string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
}

// readRequest reads a request with the body its Content-Length or chunks announce.
func readRequest(rd *bufio.Reader) (text, path string) {
	var b strings.Builder
	length, chunked := 0, false
	for {
		line, err := rd.ReadString('\n')
		if err != nil {
			return "", ""
		}
		if b.Len() == 0 {
			_, rest, _ := strings.Cut(line, " ")
			path, _, _ = strings.Cut(rest, " ")
			path, _, _ = strings.Cut(path, "?")
		}
		b.WriteString(line)
		if name, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, "content-length") {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		chunked = chunked || strings.HasPrefix(strings.ToLower(line), "transfer-encoding: chunked")
		if line == "\r\n" {
			break
		}
	}
	for chunked {
		line, err := rd.ReadString('\n')
		if err != nil {
			return "", ""
		}
		b.WriteString(line)
		chunked = line != "0\r\n"
		if !chunked {
			end, _ := rd.ReadString('\n')
			b.WriteString(end)
		}
	}
	body := make([]byte, length)
	n, _ := io.ReadFull(rd, body)
	b.Write(body[:n])
	return b.String(), path
}

// run does one command and tells whether the connection goes on; echoed is what the
// command echo sends.
func run(c net.Conn, rd *bufio.Reader, command, echoed string, number int) bool {
	word, rest, _ := strings.Cut(command, " ")
	times := 1
	if word == "repeat" {
		count, text, _ := strings.Cut(rest, " ")
		times, _ = strconv.Atoi(count)
		word, rest = "send", text
	}
	switch word {
	case "send":
		text, err := strconv.Unquote(rest)
		if err != nil {
			text = "bad command: " + command
		}
		text = strings.ReplaceAll(text, "{conn}", strconv.Itoa(number))
		_, err = io.WriteString(c, strings.Repeat(text, times))
		return err == nil
	case "echo":
		_, err := io.WriteString(c, echoed)
		return err == nil
	case "record", "stdout", "stderr", "end":
		return runFastCGI(c, word, rest)
	}
	flush(c)
	switch word {
	case "pause":
		time.Sleep(50 * time.Millisecond)
	case "hang":
		_, _ = io.Copy(io.Discard, rd)
		return false
	case "reset":
		_ = unwrap(c).(*net.TCPConn).SetLinger(0)
		return false
	default:
		return false
	}
	return true
}
