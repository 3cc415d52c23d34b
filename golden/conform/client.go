package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// exchange is what the client sends on one connection.
type exchange struct {
	pieces   []item
	requests int  // responses to expect
	head     bool // the response to HEAD should have no body; what comes is read
	http09   bool
}

// exchanges turns the sections of a block into connections' worth of bytes.
func (b *block) exchanges() ([]exchange, error) {
	if v, ok := b.Sections["raw_request"]; ok {
		return []exchange{{pieces: v.items, requests: 1, http09: b.has("http09")}}, nil
	}
	if v, ok := b.Sections["pipelined_requests"]; ok {
		var all strings.Builder
		for i, it := range v.items {
			connection := "keep-alive"
			if i == len(v.items)-1 {
				connection = "close"
			}
			text, _, err := b.format(it.text, b.moreHeaders(i), connection)
			if err != nil {
				return nil, err
			}
			all.WriteString(text)
		}
		return []exchange{{pieces: []item{{text: all.String()}}, requests: len(v.items)}}, nil
	}
	var out []exchange
	for i, it := range b.Sections["request"].items {
		text, head, err := b.format(it.text, b.moreHeaders(i), "close")
		if err != nil {
			return nil, err
		}
		out = append(out, exchange{pieces: []item{{text: text}}, requests: 1, head: head, http09: b.has("http09")})
	}
	return out, nil
}

func (b *block) moreHeaders(i int) string {
	v := b.Sections["more_headers"]
	if !v.list {
		i = 0
	}
	if i >= len(v.items) {
		return ""
	}
	return v.items[i].text
}

var (
	requestLine      = regexp.MustCompile(`^\s*(\S+) *(?:(\S+) *)?(?:(\S+) *)?\s*$`)
	hasHost          = regexp.MustCompile(`(?mi)^Host:`)
	hasConnection    = regexp.MustCompile(`(?mi)^Connection`)
	hasContentLength = regexp.MustCompile(`(?mi)^Content-Length:`)
	isChunked        = regexp.MustCompile(`(?mi)^\s*Transfer-Encoding:\s*chunked`)
	bareNewline      = regexp.MustCompile(`\r?\n`)
)

// format writes one request out as the suite's own client does.
func (b *block) format(text, more, connection string) (request string, head bool, err error) {
	first, body, _ := strings.Cut(text, "\n")
	m := requestLine.FindStringSubmatch(first)
	if m == nil {
		return "", false, fmt.Errorf("request line %q", first)
	}
	version := m[3]
	if version == "" {
		version = "HTTP/1.1"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s %s\r\n", m[1], m[2], version)
	if !hasHost.MatchString(more) {
		out.WriteString("Host: localhost\r\n")
	}
	if !hasConnection.MatchString(more) {
		fmt.Fprintf(&out, "Connection: %s\r\n", connection)
	}
	if more = bareNewline.ReplaceAllString(more, "\r\n"); more != "" && !strings.HasSuffix(more, "\r\n") {
		more += "\r\n"
	}
	out.WriteString(more)
	if body != "" && !isChunked.MatchString(more) {
		body = strings.TrimSpace(body)
		if !hasContentLength.MatchString(more) {
			fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
		}
	}
	out.WriteString("\r\n")
	out.WriteString(body)
	return out.String(), m[1] == "HEAD", nil
}

// response is one parsed response.
type response struct {
	status  string // "" when the server closed without a response
	rawHead string
	headers []header
	body    string
}

type header struct{ name, value string }

// get joins the values of a header as the suite's client library does.
func (r *response) get(name string) (string, bool) {
	var values []string
	for _, h := range r.headers {
		if strings.EqualFold(h.name, name) {
			values = append(values, h.value)
		}
	}
	return strings.Join(values, ", "), len(values) > 0
}

// errReadTimeout means that the server left the connection open for too long.
var errReadTimeout = errors.New("client timed out waiting for the response")

// talk sends x to the server and returns everything that comes back until the
// server closes.
func talk(addr string, x exchange, timeout time.Duration, halfClose bool) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline := time.Now().Add(timeout)
	go func() {
		for _, piece := range x.pieces {
			time.Sleep(piece.wait)
			if _, err := io.WriteString(conn, piece.text); err != nil {
				return
			}
		}
		if halfClose {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	for _, piece := range x.pieces {
		deadline = deadline.Add(piece.wait)
	}
	conn.SetReadDeadline(deadline)
	var got bytes.Buffer
	_, err = io.Copy(&got, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return got.Bytes(), errReadTimeout
	}
	return got.Bytes(), nil // a reset after the response is the server's right
}

// parseResponses takes the expected number of responses apart.
func parseResponses(raw []byte, x exchange) ([]*response, error) {
	if x.http09 {
		return []*response{{status: "200", body: string(raw)}}, nil
	}
	if len(raw) == 0 {
		return []*response{{}}, nil // a block may want just that
	}
	var all []*response
	for len(all) < x.requests {
		r, rest, err := parseResponse(raw, x.head, len(all) < x.requests-1)
		if err != nil {
			return all, fmt.Errorf("response %d: %w", len(all)+1, err)
		}
		all = append(all, r)
		raw = rest
	}
	return all, nil
}

func parseResponse(raw []byte, head, more bool) (*response, []byte, error) {
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, nil, fmt.Errorf("no header in %.200q", raw)
	}
	r := &response{rawHead: string(raw[:end+2])}
	raw = raw[end+4:]
	lines := strings.Split(strings.TrimSuffix(r.rawHead, "\r\n"), "\r\n")
	status := strings.Fields(lines[0])
	if len(status) < 2 {
		return nil, nil, fmt.Errorf("status line %q", lines[0])
	}
	r.status = status[1]
	if r.status == "100" {
		return parseResponse(raw, head, more)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		r.headers = append(r.headers, header{name, strings.TrimSpace(value)})
	}
	if r.status == "204" || r.status == "304" || head && len(raw) == 0 {
		if more {
			return r, raw, nil
		}
		r.body = string(raw)
		return r, nil, nil
	}
	if te, _ := r.get("Transfer-Encoding"); te == "chunked" {
		body, rest, err := unchunk(raw)
		if err == nil && !more && len(rest) > 0 {
			err = fmt.Errorf("extra bytes after the last chunk: %.100q", rest)
		}
		r.body = string(body)
		return r, rest, err
	}
	if s, ok := r.get("Content-Length"); ok {
		n, err := strconv.Atoi(s)
		if err != nil || more && n > len(raw) {
			return nil, nil, fmt.Errorf("content-length %q, %d bytes", s, len(raw))
		}
		n = min(n, len(raw))
		r.body = string(raw[:n])
		return r, raw[n:], nil
	}
	r.body = string(raw)
	return r, nil, nil
}

// unchunk decodes a chunked body strictly.
func unchunk(raw []byte) (body, rest []byte, err error) {
	for {
		line, after, ok := bytes.Cut(raw, []byte("\r\n"))
		if !ok {
			return body, nil, errors.New("chunked body ends without last chunk")
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(line)), 16, 31)
		if err != nil {
			return body, nil, fmt.Errorf("chunk size %.40q", line)
		}
		if uint64(len(after)) < n+2 || string(after[n:n+2]) != "\r\n" {
			return body, nil, fmt.Errorf("chunk of %d bytes is cut off", n)
		}
		if n == 0 {
			return body, after[2:], nil
		}
		body = append(body, after[:n]...)
		raw = after[n+2:]
	}
}
