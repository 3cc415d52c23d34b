package http1

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is one response as recorded from nginx: status 0 is HTTP/0.9, which has
// none. Bodies are kept of responses that describe the request.
type answer struct {
	Status int
	Body   string
	Close  bool
}

// probe is one connection: what the client sends, in pieces, and what nginx
// 1.22.1 did. Its requests were answered by Lua code that describes them in the
// way of describe.
type probe struct {
	Name    string
	Send    []string
	Shut    bool // the client shuts its side down
	Answers []answer
	End     string // "closed" by the server or left "open"
	Log     string
	Refused string // what we log of a request that we refuse and nginx takes up to 1.29.3: another server may read it differently
}

func loadProbes(t testing.TB) []probe {
	f, err := os.Open("testdata/nginx.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	repeat := regexp.MustCompile(`(?s)<<(.)\*(\d+)>>`)
	var list []probe
	for dec := json.NewDecoder(f); ; {
		var p probe
		if err := dec.Decode(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.Send {
			s = repeat.ReplaceAllStringFunc(s, func(m string) string {
				sub := repeat.FindStringSubmatch(m)
				n, _ := strconv.Atoi(sub[2])
				return strings.Repeat(sub[1], n)
			})
			p.Send[i] = latin1(s)
		}
		for i := range p.Answers {
			p.Answers[i].Body = latin1(p.Answers[i].Body)
		}
		p.Log = latin1(p.Log)
		if p.Refused != "" {
			p.Answers, p.Log, p.End = []answer{{Status: 400, Close: true}}, p.Refused, "closed"
		}
		list = append(list, p)
	}
}

// latin1 turns the characters of s, which stand for bytes, into bytes.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// TestNginxAnswers sends the probes to a small server made of this package and
// compares with what nginx did.
func TestNginxAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, p := range loadProbes(t) {
		if strings.HasPrefix(p.Log, "client intended to send too large body") {
			continue // client_max_body_size is not this package's
		}
		t.Run(p.Name, func(t *testing.T) {
			served := make(chan []result, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					served <- nil
					return
				}
				defer conn.Close()
				served <- serve(conn)
			}()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.Copy(io.Discard, conn)
			for i, s := range p.Send {
				if i > 0 {
					time.Sleep(5 * time.Millisecond) // so that the pieces arrive apart
				}
				_, _ = io.WriteString(conn, s)
			}
			if p.Shut {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			compare(t, p, <-served)
		})
	}
}

// result is what the server made of one request.
type result struct {
	answer
	log string
}

// serve answers requests until the connection is to be closed or the client is
// idle for a moment.
func serve(conn net.Conn) []result {
	var rd Reader
	rd.Reset(conn, &DefaultLimits)
	var h Head
	var list []result
	for {
		err := rd.ReadHead(&h, 100*time.Millisecond)
		if err == nil {
			var body []byte
			if body, err = readAll(&rd); err == nil {
				if h.Expect {
					list = append(list, result{answer: answer{Status: 100}})
				}
				r := result{answer: answer{Status: 200, Body: describe(&h, body), Close: !h.KeepAlive}}
				if h.Major == 0 {
					r.Status, r.Close = 0, false
				}
				list = append(list, r)
				if !h.KeepAlive {
					return append(list, result{log: "end"})
				}
				continue
			}
		}
		var refuse *Error
		switch {
		case errors.As(err, &refuse):
			r := result{answer{Status: refuse.Status, Close: true}, refuse.Msg}
			if r.Status == 494 {
				r.Status = 400 // as the client sees it
			}
			if h.Is09() {
				r.answer = answer{}
			}
			list = append(list, r)
		case err == ErrBadChunk:
			list = append(list, result{answer{Status: 400, Close: true}, err.Error()})
		case err == ErrIdle:
			return list
		}
		return append(list, result{log: "end"})
	}
}

func readAll(rd *Reader) ([]byte, error) {
	var body []byte
	buf := make([]byte, 7) // small, so that chunks are cut
	for {
		n, err := rd.ReadBody(buf)
		body = append(body, buf[:n]...)
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}

// describe says what was understood of a request.
func describe(h *Head, body []byte) string {
	values := map[string]string{}
	for _, f := range h.Fields {
		if old, ok := values[f.Name]; ok {
			values[f.Name] = old + "," + f.Value
		} else {
			values[f.Name] = f.Value
		}
	}
	var list []string
	for k, v := range values {
		if len(v) > 100 {
			v = strconv.Itoa(len(v))
		}
		list = append(list, k+"="+v)
	}
	// As the Lua code did, sort by name.
	sort.Slice(list, func(i, j int) bool {
		a, _, _ := strings.Cut(list[i], "=")
		b, _, _ := strings.Cut(list[j], "=")
		return a < b
	})
	if len(list) > 100 {
		list = []string{strconv.Itoa(len(list))}
	}
	short := func(s string) string {
		if len(s) > 200 {
			return strconv.Itoa(len(s))
		}
		return s
	}
	isArgs := ""
	if h.Args != "" {
		isArgs = "?"
	}
	version := ""
	if _, v, ok := strings.Cut(h.Line, " HTTP/"); ok {
		version = "HTTP/" + v
	}
	return strings.Join([]string{h.Method, short(h.Path), isArgs, h.Args, short(h.Target), h.Host, version,
		string(body), strings.Join(list, "\x01")}, "\x02") + "\x03"
}

func compare(t *testing.T, p probe, got []result) {
	end := "open"
	if n := len(got); n > 0 && got[n-1].log == "end" {
		end = "closed"
		got = got[:n-1]
	}
	if end != p.End {
		t.Errorf("connection %s, want %s", end, p.End)
	}
	log := ""
	for i, r := range got {
		if r.log != "" {
			log = r.log
		}
		if i >= len(p.Answers) {
			t.Errorf("answer %d is %+v, want none", i, r)
			continue
		}
		want := p.Answers[i]
		if want.Status == 0 && r.Status == 0 && r.log != "" {
			continue // an error page without a head
		}
		if r.Status == 0 || r.Status == 200 || r.Status != want.Status {
			if r.answer != want {
				t.Errorf("answer %d\ngot  %+q\nwant %+q", i, fmt.Sprint(r.answer), fmt.Sprint(want))
			}
		}
	}
	if len(got) < len(p.Answers) {
		t.Errorf("%d answers, want %d", len(got), len(p.Answers))
	}
	want := strings.Replace(p.Log, "pipelined ", "", 1)
	const tooLong = `client sent too long header line: "`
	if strings.HasPrefix(want, tooLong) {
		want = tooLong // nginx may quote the line before
	}
	if log != "" && !strings.HasPrefix(log, want) {
		t.Errorf("log\ngot  %q\nwant %q", log, want)
	}
}

// FuzzReadHead feeds any bytes and checks that the reader neither fails badly
// nor reads differently when the bytes come one at a time.
func FuzzReadHead(f *testing.F) {
	for _, p := range loadProbes(f) {
		if s := strings.Join(p.Send, ""); len(s) < 2000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		whole := readStream(newScript(data, len(data)))
		bytewise := readStream(newScript(data, 1))
		if whole != bytewise {
			t.Errorf("at once\n%q\nbyte by byte\n%q", whole, bytewise)
		}
	})
}

// readStream tells how the requests in a stream were understood.
func readStream(conn net.Conn) string {
	var rd Reader
	rd.Reset(conn, &DefaultLimits)
	var h Head
	var b strings.Builder
	for i := 0; i < 10; i++ {
		if err := rd.ReadHead(&h, time.Minute); err != nil {
			fmt.Fprintf(&b, "error %v", err)
			break
		}
		body, err := readAll(&rd)
		fmt.Fprintf(&b, "%s %v;", describe(&h, body), err)
		if err != nil {
			break
		}
	}
	return b.String()
}

// script is a connection whose input is known.
type script struct {
	net.Conn
	in   *bufio.Reader
	step int
}

func newScript(data []byte, step int) net.Conn {
	return &script{in: bufio.NewReader(strings.NewReader(string(data))), step: max(step, 1)}
}

func (s *script) Read(p []byte) (int, error)      { return s.in.Read(p[:min(len(p), s.step)]) }
func (s *script) SetReadDeadline(time.Time) error { return nil }
