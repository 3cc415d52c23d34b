package proxy

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
)

// readResponse reads one response from src as an exchange does.
func readResponse(src io.Reader, isHead, gather bool) (r *upstream.ResponseReader, body []byte, err error) {
	r = new(upstream.ResponseReader)
	r.Start(src)
	if err = r.ReadHead(4096, heads{r}); err != nil {
		return r, nil, err
	}
	new(response).start(r, isHead)
	for {
		p, err := r.Next(gather)
		body = append(body, p...)
		if err != nil {
			return r, body, err
		}
	}
}

// heads reads the heads of HTTP.
type heads struct{ *upstream.ResponseReader }

func (h heads) ParseHead(b []byte) (int, bool, error) { return h.ParseHTTP(b) }

func TestResponseReader(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, in string
		isHead   bool
		body     string
		err      string
		clean    bool
	}{
		{"length", ok + "Content-Length: 2\r\n\r\nok", false, "ok", "EOF", true},
		{"bare line feeds", "HTTP/1.1 200\nContent-Length: 2\n\nok", false, "ok", "EOF", true},
		{"empty", ok + "Content-Length: 0\r\n\r\n", false, "", "EOF", true},
		{"surplus", ok + "Content-Length: 2\r\n\r\nokHTTP/1.1", false, "ok", "EOF", false},
		{"short", ok + "Content-Length: 3\r\n\r\nok", false, "ok", "unexpected EOF", false},
		{"chunks", ok + "Transfer-Encoding: CHUNKED\r\n\r\n2;x=y\r\nok\r\n1\r\n!\r\n0\r\nT: t\r\n\r\n", false, "ok!", "EOF", true},
		{"chunks, surplus", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nX", false, "ok", "EOF", false},
		{"chunks, short", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nok", false, "ok", "unexpected EOF", false},
		{"bad chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nokx\r\n", false, "ok", "upstream sent invalid chunked response", false},
		{"bad size", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, "", "upstream sent invalid chunked response", false},
		{"size out of range", ok + "Transfer-Encoding: chunked\r\n\r\n8000000000000000\r\n", false, "", "upstream sent invalid chunked response", false},
		{"until the end", ok + "\r\nok", false, "ok", "EOF", false},
		{"HEAD", ok + "Content-Length: 2\r\n\r\n", true, "", "EOF", true},
		{"HEAD with body", ok + "Content-Length: 2\r\n\r\nok", true, "", "EOF", false},
		{"204 with body", "HTTP/1.1 204 No\r\n\r\nok", false, "", "EOF", false},
		{"304", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", false, "", "EOF", true},
		{"close", ok + "Connection: x, Close\r\nContent-Length: 2\r\n\r\nok", false, "ok", "EOF", false},
		{"1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", false, "ok", "EOF", false},
		{"bare", "hello", false, "hello", "EOF", false},
		{"no status", "HTTP/1.1 20 OK\r\n\r\nx", false, "HTTP/1.1 20 OK\r\n\r\nx", "EOF", false},
		{"two lengths", ok + "Content-Length: 2\r\nX: y\r\ncontent-length: 2\r\n\r\nok", false, "",
			`upstream sent duplicate header line: "content-length: 2", previous value: "Content-Length: 2"`, false},
		{"two codings", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\nok", false, "",
			`upstream sent duplicate header line: "Transfer-Encoding: gzip", previous value: "Transfer-Encoding: chunked"`, false},
		{"both", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", false, "",
			`upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time`, false},
		{"bad length", ok + "Content-Length: +2\r\n\r\nok", false, "", `upstream sent invalid "Content-Length" header: "Content-Length: +2"`, false},
		{"unknown coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\nok", false, "",
			`upstream sent unknown "Transfer-Encoding": "gzip, chunked"`, false},
		{"space in name", ok + "X Y: z\r\n\r\n", false, "", `upstream sent invalid header: "X\x20..."`, false},
		{"NUL", ok + "X: y\x00\r\n\r\n", false, "", `upstream sent invalid header: "X: y\x00..."`, false},
		{"bare CR", ok + "X: y \rZ: z\r\n\r\n", false, "", `upstream sent invalid header: "X: y\x20..."`, false},
		{"continued line", ok + "X: y\r\n z\r\n\r\n", false, "", `upstream sent invalid header: "\x20..."`, false},
		{"big", ok + "X: " + strings.Repeat("y", 4096) + "\r\n\r\n", false, "", "upstream sent too big header", false},
		{"cut head", ok + "X: y", false, "", "EOF", false},
	}
	for _, tt := range tests {
		for _, gather := range []bool{false, true} {
			for split, src := range map[string]io.Reader{
				"whole":  strings.NewReader(tt.in),
				"pieces": iotest.OneByteReader(strings.NewReader(tt.in)),
			} {
				r, body, err := readResponse(src, tt.isHead, gather)
				if string(body) != tt.body || err.Error() != tt.err {
					t.Errorf("%s, %s, gather %v: %q, %v", tt.name, split, gather, body, err)
				}
				// What comes in pieces is not read beyond the response.
				if clean := r.Clean(); clean != tt.clean && (split == "whole" || !clean) {
					t.Errorf("%s, %s: clean %v", tt.name, split, clean)
				}
			}
		}
	}
}

func TestResponseHeadLimit(t *testing.T) {
	for _, n := range []int{4095, 4096, 4097} {
		head := "HTTP/1.1 200 OK\r\nX: "
		head += strings.Repeat("y", n-len(head)-4) + "\r\n\r\n"
		r := new(upstream.ResponseReader)
		r.Start(strings.NewReader(head))
		if err := r.ReadHead(4096, heads{r}); (err == nil) != (n <= 4096) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// splitReader gives its bytes in pieces whose sizes stand in cuts.
type splitReader struct {
	data []byte
	cuts []byte
	at   int
	most int // that was asked for at once
}

func (s *splitReader) Read(p []byte) (int, error) {
	n := len(s.data)
	s.most = max(s.most, len(p))
	if n == 0 {
		return 0, io.EOF
	}
	if len(s.cuts) > 0 {
		n = min(n, int(s.cuts[s.at%len(s.cuts)])+1)
		s.at++
	}
	n = copy(p, s.data[:n])
	s.data = s.data[n:]
	return n, nil
}

// FuzzUpstreamResponse sends arbitrary bytes in arbitrary pieces as the responses
// of one connection. Whatever they are: no more is delivered than came and was
// framed, the result does not depend on the pieces, a connection is only taken for
// clean when the next byte is the first of the next response, and memory stays
// within the buffer.
func FuzzUpstreamResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\nHTTP/1.0 200 OK\r\n\r\nrest",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\nX Y: z\n\n", "HTTP/1.1 200 OK\r\nX: a\rY\r\n\r\n", "<html>", "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte{}, false)
		f.Add([]byte(seed), []byte{0}, true)
		f.Add([]byte(seed), []byte{3, 40}, false)
	}
	f.Fuzz(func(t *testing.T, data, cuts []byte, isHead bool) {
		whole := &splitReader{data: data}
		pieces := &splitReader{data: data, cuts: cuts}
		for range 8 {
			r, body, err := readResponse(whole, isHead, false)
			p, same, perr := readResponse(pieces, isHead, true)
			switch {
			case !bytes.Equal(body, same) || err.Error() != perr.Error():
				t.Fatalf("%q, %v in one piece; %q, %v in several", body, err, same, perr)
			case len(body) > len(data) || r.Received > int64(len(data)):
				t.Fatal("more than came")
			case r.Head.Length >= 0 && int64(len(body)) > r.Head.Length:
				t.Fatal("more than was announced")
			case max(whole.most, pieces.most) > 16<<10:
				t.Fatal("the buffer has grown")
			case r.Clean() && (len(r.Ahead()) > 0 || err != io.EOF):
				t.Fatal("taken for clean")
			}
			if r.Surplus() && r.Clean() || p.Surplus() && p.Clean() {
				t.Fatal("taken for clean with bytes left")
			}
			if !r.Clean() || !p.Clean() {
				return
			}
			r.Release()
			p.Release()
		}
	})
}
