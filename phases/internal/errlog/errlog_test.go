package errlog

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newLog returns a log of one file that takes lines up to level, and what reads it.
func newLog(t *testing.T, level Level) (log *Log, files *Files, read func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "error.log")
	files = NewFiles()
	files.LeaveConsole()
	log = files.NewFile(path, level)
	if err := files.Open(); err != nil {
		t.Fatal(err)
	}
	return log, files, func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// TestOutput compares lines with nginx's form, and leaves out what is not severe
// enough.
func TestOutput(t *testing.T) {
	log, _, read := newLog(t, Warn)
	log.Output(Err, 0, "one")
	log.Output(Warn, 7, "two")
	log.Output(Notice, 7, "three")
	log.Output(Stderr, 0, "four")
	const head = `\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `
	want := regexp.MustCompile(`^` + head + `\[error\] (\d+)#(\d+): one\n` + head + `\[warn\] \d+#\d+: \*7 two\n` + head + `\[\] \d+#\d+: four\n$`)
	if got := read(); !want.MatchString(got) {
		t.Errorf("got %q", got)
	}
	if !log.Enabled(Warn) || log.Enabled(Notice) {
		t.Error("the log is to take warnings and nothing less severe")
	}
}

// TestOutputLong looks where a long line is cut.
func TestOutputLong(t *testing.T) {
	log, _, read := newLog(t, Err)
	log.Output(Err, 0, strings.Repeat("x", MaxLine))
	log.Output(Err, 0, "next")
	lines := strings.SplitAfter(read(), "\n")
	if len(lines[0]) != MaxLine || !strings.HasSuffix(lines[0], "x\n") || !strings.HasSuffix(lines[1], "next\n") {
		t.Errorf("the long line has %d bytes, want %d; the next is %q", len(lines[0]), MaxLine, lines[1])
	}
}

// TestMemory fills a log in memory with more than it holds.
func TestMemory(t *testing.T) {
	f := NewMemory(8)
	f.Write([]byte("12345"))
	f.Write([]byte("67890"))
	if got := string(f.memory.buf); got != "90345678" {
		t.Errorf("the ring holds %q", got)
	}
}

// TestOnFlush asks a writer for what it holds back, before its file is opened anew and
// until it is forgotten.
func TestOnFlush(t *testing.T) {
	_, files, _ := newLog(t, Err)
	for _, f := range files.byPath {
		old, called := f.file.Load(), 0
		forget := f.OnFlush(func() {
			if called++; called == 1 && f.file.Load() != old {
				t.Error("the file was opened before what was held back was written")
			}
		})
		if errs := files.Reopen(); errs != nil {
			t.Fatal(errs)
		}
		files.Flush()
		forget()
		files.Flush()
		if called != 2 || f.file.Load() == old {
			t.Errorf("called %d times, want 2; opened anew: %t", called, f.file.Load() != old)
		}
	}
}

// TestSyslogParameters reads the parameters behind "syslog:". What they lead to is
// seen in golden/ngx and in the tests of a server.
func TestSyslogParameters(t *testing.T) {
	for _, tt := range []struct{ text, addr, err string }{
		{"server=127.0.0.1", "127.0.0.1:514", ""},
		{"server=127.0.0.1:1514,facility=user,severity=warn,tag=a,nohostname", "127.0.0.1:1514", ""},
		{"server=unix:/dev/log", "unix:/dev/log", ""},
		{"", "", `unknown syslog parameter ""`},
		{"tag=a", "", "no syslog server specified"},
		{"server=h:0", "", `invalid port in syslog server "h:0"`},
		{"server=h:x", "", `invalid port in syslog server "h:x"`},
		{"server=127.0.0.1,facility=x", "", `unknown syslog facility "x"`},
		{"server=127.0.0.1,severity=x", "", `unknown syslog severity "x"`},
		{"server=127.0.0.1,tag=" + strings.Repeat("a", 33), "", "syslog tag length exceeds 32"},
	} {
		p, err := parseSyslog(tt.text)
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: error %v, want %s", tt.text, err, tt.err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.text, err)
		case p.Addr != tt.addr:
			t.Errorf("%s: server %s, want %s", tt.text, p.Addr, tt.addr)
		}
	}
}
