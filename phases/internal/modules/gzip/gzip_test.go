package gzip_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestHead asks twice, as the second compressor has been used before: the head of the
// gzip stream is zlib's, and the body comes out whole.
func TestHead(t *testing.T) {
	s := testserver.Start(t, `events {} http { access_log off; gzip on; gzip_types *; server { listen ADDR; location / { return 200 "hello world, hello world\n"; } } }`)
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for range 2 {
		req, _ := http.NewRequest("GET", "http://"+s.Addr+"/", nil)
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want := "\x1f\x8b\b\x00\x00\x00\x00\x00\x04\x03"; !bytes.HasPrefix(body, []byte(want)) {
			t.Errorf("head %q, want %q", body[:min(len(body), len(want))], want)
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || string(text) != "hello world, hello world\n" {
			t.Errorf("body %q, %v", text, err)
		}
	}
}
