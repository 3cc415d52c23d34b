//go:build linux

package core_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// TestDisableSymlinks holds nginx's statuses for the same tree.
func TestDisableSymlinks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("root/real/f.txt", "file")
	write("root/real/index.html", "index")
	write("root/real/sub/s.txt", "sub")
	for link, to := range map[string]string{"root/dlink": "real", "root/real/flink.txt": "f.txt", "root/real/slink": "sub",
		"root/dangling": "nowhere", "root/index.html": "real/index.html", "rootlink": "root"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := testserver.Start(t, strings.ReplaceAll(`events {} http { access_log off; log_not_found off;
  server { listen ADDR; server_name all; root TREE/rootlink; disable_symlinks on; }
  server { listen ADDR; server_name below; root TREE/rootlink; disable_symlinks on from=$document_root;
    location /try/ { try_files /real/flink.txt /dlink/f.txt /real/f.txt =404; }
    location /test { if (-f TREE/rootlink/real/flink.txt) { return 201; } if (-f TREE/rootlink/real/f.txt) { return 202; } }
    location /off/ { alias TREE/root/; disable_symlinks off; } }
  server { listen ADDR; server_name owned; root TREE/rootlink; disable_symlinks if_not_owner; }
  server { listen ADDR; server_name none; root TREE/rootlink; }
}`, "TREE", dir))
	for _, tt := range []struct {
		uri                     string
		all, below, owned, none string
	}{
		{"/real/f.txt", "404", "200", "200", "200"},
		{"/real//f.txt", "404", "200", "200", "200"},
		{"/real/flink.txt", "404", "403", "200", "200"},
		{"/dlink/f.txt", "404", "404", "200", "200"},
		{"/real/slink/s.txt", "404", "404", "200", "200"},
		{"/real/sub/s.txt", "404", "200", "200", "200"},
		{"/dangling", "404", "403", "404", "404"},
		{"/nothing", "404", "404", "404", "404"},
		{"/", "404", "403", "200", "200"},
		{"/real/", "404", "200", "200", "200"},
		{"/dlink/", "404", "404", "200", "200"},
		{"/real/slink", "404", "403", "301", "301"},
		{"/try/x", "404", "200", "404", "404"},
		{"/test", "404", "202", "404", "404"},
		{"/off/dlink/f.txt", "404", "200", "404", "404"},
	} {
		for host, want := range map[string]string{"all": tt.all, "below": tt.below, "owned": tt.owned, "none": tt.none} {
			got := s.Ask("GET " + tt.uri + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+want+" ") {
				t.Errorf("%s from %s: got %.40q, want %s", tt.uri, host, got, want)
			}
		}
	}
}
