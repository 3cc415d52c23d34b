package fastcgi

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// response are records whose contents are the head and body of a response.
func response(padding int, pieces ...string) string {
	var b []byte
	for _, p := range append(pieces, "") {
		b = append(b, 1, stdout, 0, 1, byte(len(p)>>8), byte(len(p)), byte(padding), 0)
		b = append(append(b, p...), make([]byte, padding)...)
	}
	b = append(b, 1, endRequest, 0, 1, 0, 8, byte(padding), 0)
	return string(append(b, make([]byte, 8+padding)...))
}

// read reads a response as an exchange does.
func read(src io.Reader, gather bool) (x *exchange, body []byte, err error) {
	x = &exchange{conf: &config{}}
	x.conf.keepConn.V = true
	x.In.Start(src)
	defer x.In.Release()
	if err = x.In.ReadHead(4096, x); err != nil {
		return x, nil, err
	}
	x.StartBody()
	for {
		p, err := x.In.Next(gather)
		body = append(body, p...)
		if err != nil {
			return x, body, err
		}
	}
}

// TestRecords: a response is the same however its bytes come, and its head wherever the
// records part it.
func TestRecords(t *testing.T) {
	const text = "Status: 201 Made\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
	for cut := range len(text) + 1 {
		for padding := range 3 {
			in := response(padding, text[:cut], text[cut:])
			if cut == 0 || cut == len(text) {
				in = response(padding, text)
			}
			for _, gather := range []bool{false, true} {
				for _, src := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in))} {
					x, body, err := read(src, gather)
					if err != io.EOF || string(body) != "hello" || x.In.Head.Status != 201 || len(x.In.Head.Headers) != 3 {
						t.Fatalf("cut at %d: %q, %v, head %+v", cut, body, err, x.In.Head)
					}
					if !x.in.done {
						t.Fatalf("cut at %d: the end was not read", cut)
					}
				}
			}
		}
	}
}

// FuzzRecords: whatever an application sends, no more comes out than went in, and the
// answer does not depend on how it was cut.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(response(0, "A: b\r\n\r\nbody")), false)
	f.Add([]byte(response(3, "Content-Length: 2\r\n", "\r\nok", "more")), true)
	f.Add([]byte("\x01\x06\x00\x01\x00\x02\x00\x00\n\n\x01\x03\x00\x01\x00\x00\x00\x00"), false)
	f.Fuzz(func(t *testing.T, in []byte, gather bool) {
		if bytes.Contains(in, []byte{1, stderr}) || bytes.Contains(in, []byte("ength")) {
			return // these are logged, which takes a request
		}
		x, body, err := read(bytes.NewReader(in), gather)
		y, same, err2 := read(iotest.OneByteReader(bytes.NewReader(in)), gather)
		switch {
		case len(body) > len(in):
			t.Fatal("more came out than went in")
		case err == io.EOF && (err2 != io.EOF || !bytes.Equal(body, same)):
			t.Fatalf("%q and %q", body, same)
		case x.In.Head.Status != y.In.Head.Status:
			t.Fatalf("status %d and %d", x.In.Head.Status, y.In.Head.Status)
		}
	})
}
