package serve_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/testserver"
)

var oracle = flag.Bool("oracle", false, "record the events of real nginx in testdata/http2.json")

const http2ProbeConf = `error_log logs/error.log info;
events {}
http {
	log_format probe '$request|$status|$http2|$server_protocol|$request_length|$body_bytes_sent|$connection_requests|$host|$http_cookie';
	access_log logs/access.log probe;
	client_header_timeout 300ms; client_body_timeout 300ms; keepalive_timeout 300ms; send_timeout 1s;
	large_client_header_buffers 4 2k; client_max_body_size 1k; http2_max_concurrent_streams 3;
	server_tokens off;
	server {
		listen ADDR http2;
		server_name first;
		location / { root html; }
		location /e { return 200 "hi\n"; }
		location /empty { return 204; }
		location /see { echo "$host|$http_host|$http_cookie|$http_x_a|$request_method|$scheme|$args|$uri|$http_te|$http_connection"; }
		location /under { echo "$http_x_under|$http_x_odd"; }
		location /length { echo "$request_length|$http_content_length"; }
		location /body { echo_read_request_body; echo_request_body; }
		location /unread { echo "unread"; }
		location /sleep { echo_sleep 0.2; echo "slept"; }
		location /moved { return 302 /elsewhere; }
		location /red { add_header X-A b; return 200 ""; }
		location = /quiet.txt { access_log off; alias html/big.txt; }
		location /trailers { add_trailer X-T end; return 200 "body\n"; }
		location /trailers0 { add_trailer X-T end; return 200 ""; }
		location /few { keepalive_requests 1; return 200 "x"; }
		location /http { add_header X-Proto "$http2 $server_protocol"; return 200 ok; }
	}
	server { listen ADDR http2; server_name second; underscores_in_headers on; location / { return 200 "second\n"; } }
}
`

// http2Probes are what clients send that nginx answers in its own way.
var http2Probes = []struct {
	name string
	run  func(c *http2Client)
}{
	{"get", func(c *http2Client) { c.hello().get(1, "/e") }},
	{"two", func(c *http2Client) { c.hello().get(1, "/e").get(3, "/e?x") }},
	{"head", func(c *http2Client) {
		c.hello().frame(http2Headers, http2EndHeaders|http2EndStream, 1, c.request("HEAD", "/e"))
	}},
	{"empty", func(c *http2Client) { c.hello().get(1, "/empty").get(3, "/red").get(5, "/moved") }},
	{"file", func(c *http2Client) { c.hello().get(1, "/big.txt") }},
	{"no file", func(c *http2Client) { c.hello().get(1, "/none.txt") }},
	{"variables", func(c *http2Client) {
		c.hello().get(1, "/see?q=1", "cookie: a=1", "x-a: 1", "cookie: b=2", "te: trailers", "cookie: c=3")
	}},
	{"http2 variable", func(c *http2Client) { c.hello().get(1, "/http") }},
	{"host second", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":path: /see", "host: second"))
	}},
	{"host and authority", func(c *http2Client) { c.hello().get(1, "/see", "host: second") }},
	{"host twice", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":path: /see", "host: a", "host: b"))
	}},
	{"no host", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":path: /see"))
	}},
	{"bad host", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":path: /see", ":authority: a/b"))
	}},
	{"no method", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":scheme: http", ":path: /e", ":authority: a"))
	}},
	{"no path", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":authority: a"))
	}},
	{"no scheme", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":path: /e", ":authority: a"))
	}},
	{"two methods", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":method: PUT", ":scheme: http", ":path: /e", ":authority: a"))
	}},
	{"two paths", func(c *http2Client) { c.hello().get(1, "/e", ":path: /x") }},
	{"two authorities", func(c *http2Client) { c.hello().get(1, "/e", ":authority: x") }},
	{"late pseudo", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", "x-a: 1", ":scheme: http", ":path: /see", ":authority: a"))
	}},
	{"unknown pseudo", func(c *http2Client) { c.hello().get(1, "/e", ":protocol: x") }},
	{"empty path", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: http", ":path: ", ":authority: a"))
	}},
	{"star path", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, c.request("OPTIONS", "*")) }},
	{"relative path", func(c *http2Client) { c.hello().get(1, "e") }},
	{"space in path", func(c *http2Client) { c.hello().get(1, "/e x") }},
	{"dots in path", func(c *http2Client) { c.hello().get(1, "/a/../see//b%20c?x=%41") }},
	{"path out", func(c *http2Client) { c.hello().get(1, "/../see") }},
	{"fragment", func(c *http2Client) { c.hello().get(1, "/see#x") }},
	{"bad escape", func(c *http2Client) { c.hello().get(1, "/see%zz") }},
	{"odd method", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, c.request("FO_O-", "/see")) }},
	{"lower method", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, c.request("get", "/see")) }},
	{"connect", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, c.request("CONNECT", "/see")) }},
	{"trace", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, c.request("TRACE", "/see")) }},
	{"scheme", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.block(":method: GET", ":scheme: 1http", ":path: /see", ":authority: a"))
		c.frame(http2Headers, 5, 3, c.block(":method: GET", ":scheme: ftp+x.1", ":path: /see", ":authority: a"))
	}},
	{"upper name", func(c *http2Client) { c.hello().get(1, "/see", "X-A: 1").get(3, "/e") }},
	{"space in name", func(c *http2Client) { c.hello().get(1, "/see", "x a: 1") }},
	{"colon in name", func(c *http2Client) { c.hello().get(1, "/see", "x a: 1") }},
	{"underscore", func(c *http2Client) { c.hello().get(1, "/under", "x_under: 1", "x$odd: 2") }},
	{"newline in value", func(c *http2Client) { c.hello().get(1, "/see", "x-a: 1\r\nx-b: 2") }},
	{"nul in value", func(c *http2Client) { c.hello().get(1, "/see", "x-a: 1\x00") }},
	{"connection header", func(c *http2Client) { c.hello().get(1, "/see", "connection: keep-alive", "keep-alive: 3") }},
	{"trailers of ours", func(c *http2Client) { c.hello().get(1, "/trailers").get(3, "/trailers0") }},
	{"transfer-encoding", func(c *http2Client) {
		c.hello().post(1, "/body", "transfer-encoding: chunked").frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"transfer-encoding gzip", func(c *http2Client) { c.hello().get(1, "/see", "transfer-encoding: gzip") }},
	{"duplicate header", func(c *http2Client) { c.hello().get(1, "/see", "if-match: a", "if-match: b") }},
	{"empty name", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.request("GET", "/e")+"\x00\x00\x01x")
	}},
	{"bad index", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\xfe") }},
	{"zero index", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\x80") }},
	{"bad huffman", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\x00\x84\xff\xff\xff\xff\x01x") }},
	{"short block", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\x00\x05ab") }},
	{"long int", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\xff\xff\xff\xff\xff\xff\xff\x0f") }},
	{"small table", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "\x20"+c.request("GET", "/e")) }},
	{"long value", func(c *http2Client) { c.hello().get(1, "/e", "x: "+strings.Repeat("\x01", 3000)) }},
	{"value at limit", func(c *http2Client) { c.hello().get(1, "/e", "x: "+strings.Repeat("a", 2900)) }},
	{"long head", func(c *http2Client) {
		var f []string
		for i := range 9 {
			f = append(f, fmt.Sprintf("x-%d: %s", i, strings.Repeat("a", 1000)))
		}
		c.hello().get(1, "/e", f...)
	}},
	{"many fields", func(c *http2Client) {
		var f []string
		for i := range 1001 {
			f = append(f, fmt.Sprintf("x-%d: 1", i))
		}
		c.hello().get(1, "/e", f...)
	}},
	{"continuation", func(c *http2Client) {
		b := c.hello().request("GET", "/see", "x-a: 1")
		c.frame(http2Headers, http2EndStream, 1, b[:3]).frame(http2Continuation, 0, 1, "").frame(http2Continuation, http2EndHeaders, 1, b[3:])
	}},
	{"continuation of another", func(c *http2Client) {
		c.hello().frame(http2Headers, http2EndStream, 1, c.request("GET", "/e")).frame(http2Continuation, http2EndHeaders, 3, "x")
	}},
	{"continuation missing", func(c *http2Client) {
		c.hello().frame(http2Headers, http2EndStream, 1, c.request("GET", "/e")).frame(http2Ping, 0, 0, "12345678")
	}},
	{"continuation alone", func(c *http2Client) { c.hello().frame(http2Continuation, http2EndHeaders, 1, "x") }},
	{"padded", func(c *http2Client) {
		b := c.hello().request("POST", "/body")
		c.frame(http2Headers, http2EndHeaders|http2Padded, 1, "\x03"+b+"\x00\x00\x00")
		c.frame(http2Data, http2EndStream|http2Padded, 1, "\x02abc\x00\x00")
	}},
	{"bad padding", func(c *http2Client) {
		c.hello().frame(http2Headers, 5|http2Padded, 1, "\xff"+c.request("GET", "/e"))
	}},
	{"bad data padding", func(c *http2Client) {
		c.hello().post(1, "/body").frame(http2Data, http2EndStream|http2Padded, 1, "\x05abc")
	}},
	{"empty padded data", func(c *http2Client) {
		c.hello().post(1, "/body").frame(http2Data, http2EndStream|http2Padded, 1, "")
	}},
	{"priority", func(c *http2Client) {
		b := c.hello().request("GET", "/e")
		c.frame(http2Headers, 5|http2HasWeight, 1, u32(0)+"\x10"+b).frame(http2Priority, 0, 5, u32(1)+"\x20")
	}},
	{"self dependency", func(c *http2Client) {
		c.hello().frame(http2Headers, 5|http2HasWeight, 1, u32(1)+"\x10"+c.request("GET", "/e"))
	}},
	{"self priority", func(c *http2Client) { c.hello().frame(http2Priority, 0, 3, u32(3)+"\x10") }},
	{"short priority", func(c *http2Client) { c.hello().frame(http2Priority, 0, 3, u32(1)) }},
	{"priority of connection", func(c *http2Client) { c.hello().frame(http2Priority, 0, 0, u32(1)+"\x10") }},
	{"many priorities", func(c *http2Client) {
		c.hello()
		for range 101 {
			c.frame(http2Priority, 0, 3, u32(0)+"\x10")
		}
	}},
	{"empty headers", func(c *http2Client) { c.hello().frame(http2Headers, 5, 1, "") }},
	{"even stream", func(c *http2Client) { c.hello().get(2, "/e") }},
	{"stream zero", func(c *http2Client) { c.hello().get(0, "/e") }},
	{"falling stream", func(c *http2Client) { c.hello().get(3, "/e").pause(50*time.Millisecond).get(1, "/e") }},
	{"trailers", func(c *http2Client) {
		c.hello().post(1, "/body").frame(http2Data, 0, 1, "abc").pause(50*time.Millisecond).frame(http2Headers, 5, 1, c.block("x-t: 1"))
	}},
	{"streams", func(c *http2Client) {
		c.hello()
		for i := range 6 {
			c.get(uint32(2*i+1), "/sleep")
		}
	}},
	{"bodies", func(c *http2Client) {
		c.hello().post(1, "/body", "content-length: 3").frame(http2Data, http2EndStream, 1, "abc")
		c.post(3, "/body").frame(http2Data, 0, 3, "de").frame(http2Data, http2EndStream, 3, "")
	}},
	{"request length", func(c *http2Client) {
		c.hello().post(1, "/length", "content-length: 3").pause(50*time.Millisecond).frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"body too short", func(c *http2Client) {
		c.hello().post(1, "/body", "content-length: 5").pause(50*time.Millisecond).frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"body too long", func(c *http2Client) {
		c.hello().post(1, "/body", "content-length: 2").frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"body missing", func(c *http2Client) {
		c.hello().frame(http2Headers, 5, 1, c.request("POST", "/body", "content-length: 5"))
	}},
	{"bad length", func(c *http2Client) { c.hello().post(1, "/body", "content-length: x") }},
	{"large body", func(c *http2Client) {
		c.hello().post(1, "/body").frame(http2Data, http2EndStream, 1, strings.Repeat("x", 2000))
	}},
	{"large declared", func(c *http2Client) { c.hello().post(1, "/body", "content-length: 2000") }},
	{"body not read", func(c *http2Client) {
		c.hello().post(1, "/unread", "content-length: 900").frame(http2Data, 0, 1, "abc")
	}},
	{"body of get", func(c *http2Client) {
		c.hello().frame(http2Headers, http2EndHeaders, 1, c.request("GET", "/e")).pause(50*time.Millisecond).frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"expect", func(c *http2Client) {
		c.hello().post(1, "/body", "expect: 100-continue", "content-length: 3").pause(50*time.Millisecond).frame(http2Data, http2EndStream, 1, "abc")
	}},
	{"data on none", func(c *http2Client) { c.hello().frame(http2Data, 0, 1, "abc").get(3, "/e") }},
	{"data on zero", func(c *http2Client) { c.hello().frame(http2Data, 0, 0, "abc") }},
	{"data after end", func(c *http2Client) { c.hello().slow(1).frame(http2Data, 0, 1, "abc") }},
	{"data over window", func(c *http2Client) {
		c.hello().slowPost(1).frame(http2Data, 0, 1, strings.Repeat("x", 40000)).frame(http2Data, 0, 1, strings.Repeat("x", 40000))
	}},
	{"reset", func(c *http2Client) { c.hello().slow(1).frame(http2Reset, 0, 1, u32(8)).get(3, "/e") }},
	{"reset idle", func(c *http2Client) { c.hello().frame(http2Reset, 0, 1, u32(8)).get(3, "/e") }},
	{"reset zero", func(c *http2Client) { c.hello().frame(http2Reset, 0, 0, u32(8)) }},
	{"short reset", func(c *http2Client) { c.hello().frame(http2Reset, 0, 1, "abc") }},
	{"settings ack data", func(c *http2Client) { c.hello().frame(http2Settings, http2Ack, 0, "123456") }},
	{"settings length", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, "12345") }},
	{"settings stream", func(c *http2Client) { c.hello().frame(http2Settings, 0, 1, "") }},
	{"settings window", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, setting(4, 1<<31)) }},
	{"settings frame", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, setting(5, 100)) }},
	{"settings push", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, setting(2, 2)) }},
	{"settings unknown", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, setting(99, 2)).get(1, "/e") }},
	{"settings table", func(c *http2Client) { c.hello().frame(http2Settings, 0, 0, setting(1, 0)).get(1, "/e") }},
	{"ping", func(c *http2Client) {
		c.hello().frame(http2Ping, 0, 0, "12345678").frame(http2Ping, http2Ack, 0, "abcdefgh")
	}},
	{"short ping", func(c *http2Client) { c.hello().frame(http2Ping, 0, 0, "1234") }},
	{"ping stream", func(c *http2Client) { c.hello().frame(http2Ping, 0, 1, "12345678") }},
	{"goaway", func(c *http2Client) { c.hello().frame(http2GoAway, 0, 0, u32(0)+u32(0)+"bye").get(1, "/e") }},
	{"short goaway", func(c *http2Client) { c.hello().frame(http2GoAway, 0, 0, u32(0)) }},
	{"push promise", func(c *http2Client) { c.hello().frame(http2PushPromise, 4, 1, u32(2)) }},
	{"unknown frame", func(c *http2Client) { c.hello().frame(20, 0, 1, "whatever").get(1, "/e") }},
	{"zero window update", func(c *http2Client) { c.hello().frame(http2WindowUpdate, 0, 0, u32(0)) }},
	{"short window update", func(c *http2Client) { c.hello().frame(http2WindowUpdate, 0, 0, "abc") }},
	{"window overflow", func(c *http2Client) { c.hello().frame(http2WindowUpdate, 0, 0, u32(1<<31-1)) }},
	{"stream window overflow", func(c *http2Client) {
		c.hello().slow(1).frame(http2WindowUpdate, 0, 1, u32(1<<31-1)).get(3, "/e")
	}},
	{"small window", func(c *http2Client) {
		c.hello().frame(http2Settings, 0, 0, setting(4, 10)).get(1, "/big.txt").pause(50*time.Millisecond).frame(http2WindowUpdate, 0, 1, u32(20))
	}},
	{"window grows", func(c *http2Client) {
		c.hello().frame(http2Settings, 0, 0, setting(4, 10)).get(1, "/big.txt").pause(50*time.Millisecond).frame(http2Settings, 0, 0, setting(4, 1000))
	}},
	{"negative window", func(c *http2Client) {
		c.hello().get(1, "/quiet.txt").pause(50*time.Millisecond).frame(http2Settings, 0, 0, setting(4, 0)).frame(http2WindowUpdate, 0, 1, u32(100000)).frame(http2WindowUpdate, 0, 0, u32(100000))
	}},
	{"not http2", func(c *http2Client) { c.raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }},
	{"wrong preface", func(c *http2Client) { c.raw("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n") }},
	{"nothing", func(c *http2Client) {}},
	{"preface only", func(c *http2Client) { c.raw(http2Preface) }},
	{"half preface", func(c *http2Client) { c.raw(http2Preface[:7]) }},
	{"half frame", func(c *http2Client) { c.hello().raw("\x00\x00\x08\x06") }},
	{"half ping", func(c *http2Client) { c.hello().raw("\x00\x00\x08\x06\x00\x00\x00\x00\x00abc") }},
	{"half head", func(c *http2Client) {
		c.hello().frame(http2Headers, http2EndStream, 1, c.request("GET", "/e"))
	}},
	{"slow body", func(c *http2Client) {
		c.hello().post(1, "/body", "content-length: 10").frame(http2Data, 0, 1, "abc")
	}},
}

// http2Probe is what nginx did with a probe.
type http2Probe struct {
	Name   string
	Events []string
	Log    []string
	Access []string
}

const http2Record = "testdata/http2.json"

// TestHTTP2Probes compares events, log lines and access log with nginx's.
func TestHTTP2Probes(t *testing.T) {
	t.Setenv(compat.Env, "1.22.1") // whose answers were recorded
	const servers = 12             // the probes wait for timers most of the time
	type server struct{ addr, dir string }
	free := make(chan server, servers)
	for range servers {
		if *oracle {
			addr, dir := startNginx(t, http2ProbeConf)
			free <- server{addr, dir}
			continue
		}
		s := testserver.Start(t, http2ProbeConf)
		writeProbeFiles(t, s.Dir)
		free <- server{s.Addr, s.Dir}
	}
	var want []http2Probe
	if b, err := os.ReadFile(http2Record); err == nil {
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]http2Probe, len(http2Probes))
	var wg sync.WaitGroup
	for i, p := range http2Probes {
		var known http2Probe
		if i < len(want) && !*oracle {
			known = want[i]
		}
		at := <-free
		wg.Go(func() {
			defer func() { free <- at }()
			errs, accesses := logSize(at.dir, "error.log"), logSize(at.dir, "access.log")
			c := dialHTTP2(t, at.addr)
			p.run(c)
			got[i] = http2Probe{Name: p.name, Events: c.events(10 * time.Second)} // the server closes sooner
			for j, e := range got[i].Events {
				got[i].Events[j] = strings.ReplaceAll(e, at.addr[len("127.0.0.1"):], ":PORT")
			}
			c.nc.Close()
			got[i].Log = logLines(t, at.dir, at.addr, "error.log", errs, len(known.Log))
			got[i].Access = logLines(t, at.dir, at.addr, "access.log", accesses, len(known.Access))
		})
	}
	wg.Wait()
	if *oracle {
		b, _ := json.MarshalIndent(got, "", " ")
		if err := os.WriteFile(http2Record, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, p := range got {
		if i >= len(want) || want[i].Name != p.Name {
			t.Fatalf("%s has no %q: record it with -oracle", http2Record, p.Name)
		}
		for _, part := range [...]struct {
			what      string
			got, want []string
		}{{"events", p.Events, want[i].Events}, {"log", p.Log, want[i].Log}, {"access log", p.Access, want[i].Access}} {
			if g, w := strings.Join(part.got, "\n "), strings.Join(part.want, "\n "); g != w {
				t.Errorf("%s: %s\n %s\nnginx\n %s", p.Name, part.what, g, w)
			}
		}
	}
}

// startNginx serves conf by nginx itself.
func startNginx(t *testing.T, conf string) (addr, dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir = l.Addr().String(), t.TempDir()
	l.Close()
	for _, name := range []string{"logs", "html"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeProbeFiles(t, dir)
	conf = "load_module /usr/lib/nginx/modules/ngx_http_echo_module.so; pid logs/nginx.pid; daemon off; user root;\n" + strings.ReplaceAll(conf, "ADDR", addr)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	for range 100 {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			time.Sleep(100 * time.Millisecond)
			return addr, dir
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("nginx does not answer")
	return "", ""
}

func writeProbeFiles(t testing.TB, dir string) {
	text := strings.Repeat("0123456789", 300)
	if err := os.WriteFile(filepath.Join(dir, "html", "big.txt"), []byte(strings.Repeat(text, 30)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func logSize(dir, name string) int64 {
	info, err := os.Stat(filepath.Join(dir, "logs", name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// logLines are the lines behind an offset, without what differs between runs. They
// are sorted: requests of one connection end in any order. Where fewer than due are
// there, they may still be on their way.
func logLines(t *testing.T, dir, addr, name string, from int64, due int) []string {
	time.Sleep(50 * time.Millisecond)
	list := newLines(t, dir, addr, name, from)
	for end := time.Now().Add(10 * time.Second); len(list) < due && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		list = newLines(t, dir, addr, name, from)
	}
	return list
}

// newLines is logLines as they are now.
func newLines(t *testing.T, dir, addr, name string, from int64) []string {
	b, err := os.ReadFile(filepath.Join(dir, "logs", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(strings.TrimSuffix(string(b[from:]), "\n"), "\n") {
		if i := strings.Index(line, "] "); name == "error.log" && i > 0 {
			line = regexp.MustCompile(`\[(\w+)\] \d+#\d+: (\*\d+ )?`).ReplaceAllString(line[20:], "[$1] ")
			line = strings.NewReplacer(addr, "ADDR", dir, "PREFIX").Replace(line)
		}
		if line != "" && !strings.Contains(line, "[notice]") {
			list = append(list, line)
		}
	}
	sort.Strings(list)
	return list
}

const http2LoadConf = `error_log logs/error.log notice;
events {}
http {
	access_log off;
	client_max_body_size 0;
	server {
		listen ADDR ssl http2;
		ssl_certificate DIR/h.test.crt; ssl_certificate_key DIR/h.test.key;
		location / { root html; }
		location /body { client_body_buffer_size 16m; echo_read_request_body; echo_request_body; }
		location /e { return 200 "hi\n"; }
	}
}
`

// TestHTTP2Load lets a client of another make ask for much at once.
func TestHTTP2Load(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "h.test")
	s := testserver.Start(t, strings.ReplaceAll(http2LoadConf, "DIR", dir))
	writeProbeFiles(t, s.Dir)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	big := strings.Repeat("0123456789", 9000)
	post := strings.Repeat("abcdefgh", 100000)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for range 5 {
				url, body, want := "https://"+s.Addr+"/e", "", "hi\n"
				switch i % 3 {
				case 1:
					url, want = "https://"+s.Addr+"/big.txt", big
				case 2:
					url, body, want = "https://"+s.Addr+"/body", post, post
				}
				var resp *http.Response
				var err error
				if body != "" {
					resp, err = client.Post(url, "text/plain", strings.NewReader(body))
				} else {
					resp, err = client.Get(url)
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 || string(got) != want {
					t.Errorf("%s: %s, %d bytes, %v", url, resp.Status, len(got), err)
				}
			}
		})
	}
	wg.Wait()
	if log := s.Read("logs/error.log"); strings.Contains(log, "[alert]") || strings.Contains(log, "[error]") {
		t.Error(log)
	}
}

// TestHTTP2Resets sends requests and takes them back at once: the server may refuse
// some, and goes on with the others.
func TestHTTP2Resets(t *testing.T) {
	s := testserver.Start(t, strings.Replace(http2ProbeConf, "http2_max_concurrent_streams 3", "http2_max_concurrent_streams 128; keepalive_requests 100000", 1))
	writeProbeFiles(t, s.Dir)
	c := dialHTTP2(t, s.Addr).hello()
	id := uint32(1)
	for range 5000 {
		c.get(id, "/big.txt").frame(http2Reset, 0, id, u32(8))
		id += 2
	}
	go io.Copy(io.Discard, c.nc)
	c.send()
	var stack [1 << 16]byte
	if n := bytes.Count(stack[:runtime.Stack(stack[:], true)], []byte("http2Stream).run")); n > 256 {
		t.Errorf("%d requests at once", n)
	}
	if got := dialHTTP2(t, s.Addr).hello().get(1, "/e").events(time.Second); !strings.Contains(strings.Join(got, "\n"), ":status=200") {
		t.Errorf("another connection gets %q", got)
	}
}

// TestHTTP2Stop ends a server whose connection has a request.
func TestHTTP2Stop(t *testing.T) {
	s := testserver.Start(t, strings.Replace(http2ProbeConf, "client_header_timeout 300ms; client_body_timeout 300ms; keepalive_timeout 300ms", "keepalive_timeout 60s", 1))
	idle := dialHTTP2(t, s.Addr).hello().get(1, "/e")
	busy := dialHTTP2(t, s.Addr).hello().get(1, "/sleep")
	idle.pause(0)
	busy.pause(100 * time.Millisecond)
	done := make(chan struct{})
	go func() { s.Close(); close(done) }()
	want := []string{"GOAWAY 1 NO_ERROR", "closed"}
	for _, c := range []*http2Client{idle, busy} {
		got := strings.Join(c.events(5*time.Second), "\n")
		for _, part := range append(want, ":status=200", "END") {
			if !strings.Contains(got, part) {
				t.Errorf("no %q in %s", part, got)
			}
		}
		c.nc.Close()
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the server does not end")
	}
}

// FuzzHTTP2 reads whatever a client may send.
func FuzzHTTP2(f *testing.F) {
	for _, p := range http2Probes {
		c := &http2Client{t: f, nc: discardConn{}}
		c.enc = hpack.NewEncoder(&c.head)
		p.run(c)
		f.Add(c.out.Bytes())
	}
	s := testserver.Start(f, strings.NewReplacer("300ms", "20ms", "error_log logs/error.log info", "error_log logs/error.log emerg").Replace(http2ProbeConf))
	writeProbeFiles(f, s.Dir)
	f.Fuzz(func(t *testing.T, sent []byte) {
		nc, err := net.Dial("tcp", s.Addr)
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL): // fuzzing used all ports up
			return
		case err != nil:
			t.Fatal(err)
		}
		defer nc.Close()
		go func() {
			_, _ = nc.Write(sent)
			_ = nc.(*net.TCPConn).CloseWrite()
		}()
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection does not end")
		}
	})
}
