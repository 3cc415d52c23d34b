package serve_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// The protocol in numbers (RFC 9113).
const (
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	http2Ack        = 0x1
	http2EndStream  = 0x1
	http2EndHeaders = 0x4
	http2Padded     = 0x8
	http2HasWeight  = 0x20
)

// Types of frames.
const (
	http2Data byte = iota
	http2Headers
	http2Priority
	http2Reset
	http2Settings
	http2PushPromise
	http2Ping
	http2GoAway
	http2WindowUpdate
	http2Continuation
)

// http2Client speaks HTTP/2 frame by frame, right or wrong.
type http2Client struct {
	t    testing.TB
	nc   net.Conn
	out  bytes.Buffer
	enc  *hpack.Encoder
	head bytes.Buffer
}

func dialHTTP2(t testing.TB, addr string) *http2Client {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &http2Client{t: t, nc: nc}
	c.enc = hpack.NewEncoder(&c.head)
	return c
}

func (c *http2Client) raw(b string) *http2Client { c.out.WriteString(b); return c }

// hello sends what a well-behaved client begins with.
func (c *http2Client) hello() *http2Client {
	return c.raw(http2Preface).frame(http2Settings, 0, 0, "")
}

func (c *http2Client) frame(kind byte, flags byte, id uint32, payload string) *http2Client {
	c.out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)), flags))
	c.out.WriteString(u32(id))
	c.out.WriteString(payload)
	return c
}

func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

func setting(id uint16, value uint32) string {
	return string(binary.BigEndian.AppendUint16(nil, id)) + u32(value)
}

// block codes fields, "name: value" each.
func (c *http2Client) block(fields ...string) string {
	c.head.Reset()
	for _, f := range fields {
		i := strings.Index(f[1:], ":") + 1
		c.enc.WriteField(hpack.HeaderField{Name: f[:i], Value: strings.TrimPrefix(f[i+1:], " ")})
	}
	return c.head.String()
}

// request codes a request for a path with more fields.
func (c *http2Client) request(method, path string, fields ...string) string {
	return c.block(append([]string{":method: " + method, ":scheme: http", ":path: " + path, ":authority: a.test"}, fields...)...)
}

func (c *http2Client) get(id uint32, path string, fields ...string) *http2Client {
	return c.frame(http2Headers, http2EndHeaders|http2EndStream, id, c.request("GET", path, fields...))
}

func (c *http2Client) post(id uint32, path string, fields ...string) *http2Client {
	return c.frame(http2Headers, http2EndHeaders, id, c.request("POST", path, fields...))
}

// slow asks for a file and gives no window for it.
func (c *http2Client) slow(id uint32) *http2Client {
	return c.frame(http2Settings, 0, 0, setting(4, 0)).get(id, "/big.txt").pause(50 * time.Millisecond)
}

// slowPost begins a body that nobody reads.
func (c *http2Client) slowPost(id uint32) *http2Client {
	c.frame(http2Settings, 0, 0, setting(4, 0))
	return c.frame(http2Headers, http2EndHeaders, id, c.request("GET", "/big.txt")).pause(50 * time.Millisecond)
}

// send writes what was collected.
func (c *http2Client) send() *http2Client {
	_, _ = c.nc.Write(c.out.Bytes()) // the server may have closed the connection
	c.out.Reset()
	return c
}

func (c *http2Client) pause(d time.Duration) *http2Client {
	c.send()
	time.Sleep(d)
	return c
}

var http2CodeNames = []string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"}

// events reads until the server closes or says nothing for quiet. It gives what
// came, by stream, and how it ended.
func (c *http2Client) events(quiet time.Duration) []string {
	c.send()
	byStream := map[uint32][]string{}
	dec := hpack.NewDecoder(4096, nil)
	note := func(id uint32, format string, args ...any) {
		byStream[id] = append(byStream[id], fmt.Sprintf(format, args...))
	}
	data := map[uint32]*bytes.Buffer{}
	end := ""
	for end == "" {
		var head [9]byte
		_ = c.nc.SetReadDeadline(time.Now().Add(quiet))
		if _, err := io.ReadFull(c.nc, head[:]); err != nil {
			end = "closed"
			if errors.Is(err, os.ErrDeadlineExceeded) {
				end = "open"
			}
			break
		}
		p := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c.nc, p); err != nil {
			end = "cut"
			break
		}
		id, flags := binary.BigEndian.Uint32(head[5:]), head[4]
		switch head[3] {
		case http2Data:
			if data[id] == nil {
				data[id] = &bytes.Buffer{}
			}
			data[id].Write(p)
			if flags&http2EndStream != 0 {
				note(id, "DATA %s END", shorten(data[id].String()))
				delete(data, id)
			}
		case http2Headers:
			fields, err := dec.DecodeFull(p)
			if err != nil {
				c.t.Fatal(err)
			}
			text := ""
			for _, f := range fields {
				switch f.Name {
				case ":status", "content-type", "content-length", "location", "connection":
					text += " " + f.Name + "=" + f.Value
				default:
					if strings.HasPrefix(f.Name, "x-") {
						text += " " + f.Name + "=" + f.Value
					}
				}
			}
			if flags&http2EndStream != 0 {
				text += " END"
			}
			note(id, "HEADERS%s", text)
		case http2Reset:
			note(id, "RST_STREAM %s", http2CodeNames[binary.BigEndian.Uint32(p)])
		case http2Settings:
			note(id, "SETTINGS %d %x", flags, p)
		case http2Ping:
			note(id, "PING %d %s", flags, p)
		case http2GoAway:
			note(id, "GOAWAY %d %s", binary.BigEndian.Uint32(p), http2CodeNames[binary.BigEndian.Uint32(p[4:])])
		case http2WindowUpdate:
			if id == 0 {
				note(id, "WINDOW_UPDATE %d", binary.BigEndian.Uint32(p))
			}
		}
	}
	var list []string
	for id, b := range data {
		note(id, "DATA %s", shorten(b.String()))
	}
	for id, events := range byStream {
		list = append(list, fmt.Sprintf("%02d: %s", id, strings.Join(events, ", ")))
	}
	sort.Strings(list)
	return append(list, end)
}

func shorten(s string) string {
	s = regexp.MustCompile(`<hr><center>.*</center>`).ReplaceAllString(s, "<hr>")
	if len(s) > 200 {
		return fmt.Sprintf("%q...%d", s[:20], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// discardConn takes everything.
type discardConn struct{ net.Conn }

func (discardConn) Write(p []byte) (int, error) { return len(p), nil }
