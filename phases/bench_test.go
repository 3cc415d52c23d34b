package phases

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// serveLoads are requests on a kept connection, and what the server may allocate for
// one when it has served some before.
var serveLoads = []struct {
	name, conf string
	allocs     float64
	http       string // beside the server
}{
	{name: "return", conf: `location /t { return 200 "hello world\n"; }`, allocs: 0},
	{name: "echo", conf: `location /t { echo hello world; }`, allocs: 2},
	{name: "rewrite", conf: `location /t { set $a 1; if ($arg_x = 2) { return 404; } rewrite ^/t(.*)$ /u$1; return 200 "$uri $a\n"; }`, allocs: 3},
	{name: "lua", conf: `location /t { content_by_lua 'ngx.say("hello world")'; }`, allocs: 1},
	{name: "gzip", conf: `location /t { more_set_input_headers "Accept-Encoding: gzip"; gzip on; gzip_types *; echo hello world; }`, allocs: 2},
	{name: "proxy", allocs: 22,
		http: `upstream u { server 127.0.0.1:$PORT; keepalive 2; keepalive_requests 1000000000; }`,
		conf: `location /u { return 200 "hello world\n"; }
			location /t { proxy_pass http://u/u; proxy_http_version 1.1; proxy_set_header Connection ""; }`},
}

// BenchmarkServe measures a request on a kept connection, client included.
// The client allocates nothing, so allocs/op are the server's.
func BenchmarkServe(b *testing.B) {
	for _, c := range serveLoads {
		b.Run(c.name, func(b *testing.B) {
			ask := serveLoad(b, c.http, c.conf)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

// serveLoad starts a server and gives the function that asks it once.
func serveLoad(t testing.TB, http, server string) (ask func()) {
	ar := &txtar.Archive{Files: []txtar.File{{Name: "http", Data: []byte(http)}, {Name: "server", Data: []byte(server)}}}
	s := newServeCase(t, ar)
	s.conf = strings.Replace(s.conf, "error.log debug;", "error.log error;", 1) // the server is measured, not its log
	if err := os.WriteFile(s.prefix+"conf/nginx.conf", []byte(s.conf), 0o644); err != nil {
		t.Fatal(err)
	}
	s.chunks = rt.ChunkSet{sayHello}
	s.start(t)
	nc, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	rd := bufio.NewReader(nc)
	request := []byte("GET /t?x=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	buf := make([]byte, answerSize(t, nc, rd, request))
	return func() {
		if _, err := nc.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(rd, buf); err != nil {
			t.Fatal(err)
		}
	}
}

// sayHello is ngx.say("hello world") as the compiler would print it.
var sayHello = &rt.Chunk{
	Key:  testserver.Key("content_by_lua", `ngx.say("hello world")`),
	Name: "=content_by_lua(nginx.conf:1)",
	Main: func(th *rt.Thread, env *rt.Env, _ []rt.Value) (rt.Value, int) {
		ngx := rt.Global(th, env, &helloSites[0])
		return rt.Call1(th, rt.Field(th, ngx, &helloSites[1], ""), "", rt.String("hello world"))
	},
}

var helloSites = [2]rt.Site{{Key: "ngx"}, {Key: "say"}}

// answerSize asks once and counts the bytes of the answer, all of which have
// the same length.
func answerSize(b testing.TB, nc net.Conn, rd *bufio.Reader, request []byte) int {
	b.Helper()
	if _, err := nc.Write(request); err != nil {
		b.Fatal(err)
	}
	size, body, chunked := 0, 0, false
	for {
		line, err := rd.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		size += len(line)
		fmt.Sscanf(line, "Content-Length: %d", &body)
		chunked = chunked || strings.HasPrefix(line, "Transfer-Encoding: chunked")
		if line == "\r\n" {
			break
		}
	}
	for chunked {
		line, err := rd.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		size += len(line)
		if line == "0\r\n" {
			body, chunked = 2, false
		}
	}
	if _, err := rd.Discard(body); err != nil {
		b.Fatal(err)
	}
	return size + body
}
