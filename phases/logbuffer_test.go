package phases

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLogBuffer looks at what buffers of an access log have written at which point.
func TestLogBuffer(t *testing.T) {
	logs := NewLogFiles()
	path := filepath.Join(t.TempDir(), "a.log")
	b := &logBuffer{file: logs.get(path), size: 10}
	if err := logs.Open(); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		t.Helper()
		p, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(p)
	}
	for _, step := range []struct{ line, want string }{
		{"1234\n", ""},
		{"5678\n", ""},          // full to the byte
		{"9\n", "1234\n5678\n"}, // does not fit
		{"longer than all\n", "9\nlonger than all\n"}, // is never held back
		{"x\n", ""},
	} {
		before := text()
		b.add([]byte(step.line))
		if got := strings.TrimPrefix(text(), before); got != step.want {
			t.Errorf("after %q: wrote %q, want %q", step.line, got, step.want)
		}
	}
	b.Flush()
	if !strings.HasSuffix(text(), "x\n") {
		t.Errorf("after Flush: %q", text())
	}
}

// TestLogBufferGzip reads back a log of two compressed buffers, the second written
// because its time was over.
func TestLogBufferGzip(t *testing.T) {
	logs := NewLogFiles()
	path := filepath.Join(t.TempDir(), "a.gz")
	b := &logBuffer{file: logs.get(path), size: 100, gzip: 5}
	if err := logs.Open(); err != nil {
		t.Fatal(err)
	}
	b.add([]byte("one\n"))
	b.Flush()
	b.flush = time.Millisecond
	b.add([]byte("two\n"))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		_ = f.Close()
		if string(text) == "one\ntwo\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log holds %q, %v", text, err)
		}
	}
}
