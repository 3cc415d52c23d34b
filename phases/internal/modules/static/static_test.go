package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/testserver"
)

func TestStatic(t *testing.T) {
	s := testserver.Start(t, `events {}
http { server { listen ADDR; root html; log_not_found on;
  location /alias/ { alias html/; }
} }`)
	s.Write("html/index.html", "index")
	s.Write("html/a.txt", "0123456789")
	s.Write("html/big", strings.Repeat("0123456789abcdef", 20000))
	if err := os.Mkdir(filepath.Join(s.Dir, "html/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		uri, header string
		want        []string // parts of the answer
	}{
		{"/", "", []string{"HTTP/1.1 200 OK", "Content-Type: text/html", "Content-Length: 5", "\r\n\r\nindex"}},
		{"/a.txt", "", []string{"Content-Type: text/plain", "ETag: \"", "Accept-Ranges: bytes", "Last-Modified: ", "0123456789"}},
		{"/a.txt", "Range: bytes=2-4", []string{"HTTP/1.1 206 Partial Content", "Content-Range: bytes 2-4/10", "\r\n\r\n234"}},
		{"/a.txt", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", []string{"HTTP/1.1 200 OK"}},
		{"/alias/a.txt", "", []string{"HTTP/1.1 200 OK", "\r\n\r\n0123456789"}},
		{"/big", "", []string{"Content-Length: 320000", "abcdef"}},
		{"/sub", "", []string{"HTTP/1.1 301 Moved Permanently", "Location: http://h:"}},
		{"/sub/", "", []string{"HTTP/1.1 403 Forbidden"}},
		{"/missing", "", []string{"HTTP/1.1 404 Not Found", "<center>openresty/1.31.1.1</center>"}},
		{"/a.txt/", "", []string{"HTTP/1.1 404 Not Found"}},
	}
	for _, tt := range tests {
		got := s.Get(tt.uri, tt.header+"\r\nX: y")
		if tt.header == "" {
			got = s.Get(tt.uri)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: no %q in\n%.600s", tt.uri, tt.header, want, got)
			}
		}
	}
	modified, err := os.Stat(filepath.Join(s.Dir, "html/a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	since := "If-Modified-Since: " + ngxtext.FormatHTTPTime(modified.ModTime().Unix())
	if got := s.Get("/a.txt", since); !strings.HasPrefix(got, "HTTP/1.1 304 Not Modified") {
		t.Errorf("%s gives %.100s", since, got)
	}
	if got := s.Ask("POST /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 405 ") {
		t.Errorf("POST gives %.100s", got)
	}
	want := fmt.Sprintf("open() \"%s/html/missing\" failed (2: No such file or directory), client: 127.0.0.1, server: , request: \"GET /missing HTTP/1.1\", host: \"h\"", s.Dir)
	s.WantLog(want)
}
