package ngx

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"golang.org/x/net/http2/hpack"
)

// A client sends one request of a case. Its fields are the lines that begin with #
// in front of the request:
//
//	#gone            it leaves at once
//	#socket PATH     it connects to this socket below the server's root
//	#tls NAME        it speaks TLS and asks for this name ("-": for none)
//	#cert NAME       it shows this certificate (see writeCerts)
//	#h2              it speaks HTTP/2; the answer is shown frame by frame
//	#gunzip          it shows the body unpacked, after its codings were undone
//	#brotli          likewise
type client struct {
	gone, h2   bool
	gunzip     bool
	brotli     bool
	socket     string
	name, cert string
}

const parting = "===\n"

// exchange sends the case's requests and returns the answers.
func exchange(t *testing.T, c *testCase) string {
	var answers []string
	for request := range strings.SplitSeq(c.section("request"), parting) {
		var cl client
		for strings.HasPrefix(request, "#") {
			var line string
			line, request, _ = strings.Cut(request, "\n")
			cl.read(t, line)
		}
		answers = append(answers, cl.ask(t, c, request))
	}
	return strings.Join(answers, parting)
}

func (cl *client) read(t *testing.T, line string) {
	word, value, _ := strings.Cut(line, " ")
	switch word {
	case "#gone":
		cl.gone = true
	case "#h2":
		cl.h2 = true
	case "#gunzip":
		cl.gunzip = true
	case "#brotli":
		cl.brotli = true
	case "#socket":
		cl.socket = value
	case "#tls":
		cl.name = value
	case "#cert":
		cl.cert = value
	default:
		t.Fatalf("unknown line %q before a request", line)
	}
}

// ask returns the answer to a request, ready to be compared.
func (cl *client) ask(t *testing.T, c *testCase, request string) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
	if cl.socket != "" {
		conn, err = net.Dial("unix", filepath.Join(c.prefix, cl.socket))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if cl.name != "" {
		conn = cl.secure(t, c, conn)
	}
	var answer []byte
	if cl.h2 {
		answer, err = askHTTP2(conn, request)
	} else if _, err = io.WriteString(conn, wire(request)); err == nil && !cl.gone {
		answer, err = io.ReadAll(conn)
	}
	if cl.gunzip {
		answer = unpacked(t, answer, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	}
	if cl.brotli {
		answer = unpacked(t, answer, func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil })
	}
	if err != nil {
		if cl.name == "" {
			line, _, _ := strings.Cut(request, "\n")
			t.Fatalf("reading the answer to %s: %v (got %q)", line, err, answer)
		}
		answer = append(answer, err.Error()...)
	}
	text := c.mask(string(answer))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\\\n" // txtar sections end in a newline
	}
	return text
}

// secure wraps a connection in TLS. The handshake comes with the first write.
func (cl *client) secure(t *testing.T, c *testCase, conn net.Conn) net.Conn {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: strings.TrimPrefix(cl.name, "-")}
	if cl.h2 {
		config.NextProtos = []string{"h2"}
	}
	if cl.cert != "" {
		file := filepath.Join(c.prefix, "tls", cl.cert)
		cert, err := tls.LoadX509KeyPair(file+".crt", file+".key")
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return tls.Client(conn, config)
}

// unpacked returns an answer with its body as it was before chunks and its coding.
func unpacked(t *testing.T, answer []byte, decode func(io.Reader) (io.Reader, error)) []byte {
	head, _, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	plain, err := decode(response.Body)
	if err != nil {
		t.Fatalf("%v in %q", err, answer)
	}
	body, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(head, []byte("\r\n\r\n"), body)
}

// wire gives the head of a request its CRLFs; the body goes as it stands.
func wire(request string) string {
	head, body, _ := strings.Cut(request, "\n\n")
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + strings.TrimSuffix(body, "\n")
}

// askHTTP2 sends a request, written as for HTTP/1, on a connection's first stream
// and shows what comes back on it: header blocks, data, and how it ends.
func askHTTP2(conn net.Conn, request string) ([]byte, error) {
	head, body, _ := strings.Cut(request, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	field := func(name, value string) { enc.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	first := strings.Fields(lines[0])
	field(":method", first[0])
	field(":scheme", "http")
	field(":path", first[1])
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name = strings.ToLower(name); name == "host" {
			name = ":authority"
		}
		field(name, value)
	}
	const headers, data, rst, settings, goAway = 1, 0, 3, 4, 7
	const endStream, endHeaders = 1, 4
	if body == "" {
		conn.Write(slices.Concat([]byte(preface), frame(settings, 0, 0, nil), frame(headers, endHeaders|endStream, 1, block.Bytes())))
	} else {
		conn.Write(slices.Concat([]byte(preface), frame(settings, 0, 0, nil), frame(headers, endHeaders, 1, block.Bytes()),
			frame(data, endStream, 1, []byte(body))))
	}
	var out bytes.Buffer
	dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case "date", "last-modified", "etag":
			f.Value = "*" // as in volatile
		}
		fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Value)
	})
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return out.Bytes(), err
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return out.Bytes(), err
		}
		switch kind, flags := head[3], head[4]; kind {
		case headers:
			if _, err := dec.Write(payload); err != nil {
				return out.Bytes(), err
			}
			if out.WriteString("\n"); flags&endStream != 0 {
				return out.Bytes(), nil
			}
		case data:
			if out.Write(payload); flags&endStream != 0 {
				return out.Bytes(), nil
			}
		case rst:
			fmt.Fprintf(&out, "RST_STREAM %d\n", binary.BigEndian.Uint32(payload))
			return out.Bytes(), nil
		case goAway:
			fmt.Fprintf(&out, "GOAWAY %d\n", binary.BigEndian.Uint32(payload[4:]))
			return out.Bytes(), nil
		}
	}
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frame is one frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}
