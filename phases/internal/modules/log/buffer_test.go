package log

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// TestLogBuffer looks at what buffers of an access log have written at which point.
func TestLogBuffer(t *testing.T) {
	logs := errlog.NewFiles()
	path := filepath.Join(t.TempDir(), "a.log")
	b := &buffer{file: logs.Get(path), size: 10}
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
	b.flush()
	if !strings.HasSuffix(text(), "x\n") {
		t.Errorf("after Flush: %q", text())
	}
}

// TestLogBufferReopen renames a log whose buffer is not empty: what was held back
// belongs into the old file. A buffer that was closed holds nothing back.
func TestLogBufferReopen(t *testing.T) {
	logs := errlog.NewFiles()
	path := filepath.Join(t.TempDir(), "a.log")
	b := &buffer{file: logs.Get(path), size: 100}
	b.forget = b.file.OnFlush(b.flush)
	if err := logs.Open(); err != nil {
		t.Fatal(err)
	}
	check := func(path, want string) {
		t.Helper()
		if p, err := os.ReadFile(path); string(p) != want {
			t.Errorf("%s holds %q, %v, want %q", filepath.Base(path), p, err, want)
		}
	}
	b.add([]byte("old\n"))
	check(path, "")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if errs := logs.Reopen(); errs != nil {
		t.Fatal(errs)
	}
	check(path+".1", "old\n")
	b.add([]byte("new\n"))
	check(path, "")
	b.close()
	check(path, "new\n")
	b.add([]byte("late\n"))
	check(path, "new\nlate\n")
}

// TestLogBufferGzip reads back a log of two compressed buffers, the second written
// because its time was over.
func TestLogBufferGzip(t *testing.T) {
	logs := errlog.NewFiles()
	path := filepath.Join(t.TempDir(), "a.gz")
	b := &buffer{file: logs.Get(path), size: 100, gzip: 5}
	if err := logs.Open(); err != nil {
		t.Fatal(err)
	}
	b.add([]byte("one\n"))
	b.flush()
	b.every = time.Millisecond
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
