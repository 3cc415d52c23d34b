package filecache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// fixture is a cache with a clock of its own, and what it logs.
type fixture struct {
	*Cache
	t     *testing.T
	clock time.Time
	mu    sync.Mutex
	lines []string
}

func newFixture(t *testing.T, size int64, change func(*Config)) *fixture {
	conf := Default(t.TempDir())
	conf.Zone, conf.Levels = "z", []int{1, 2}
	if change != nil {
		change(&conf)
	}
	f := &fixture{t: t, clock: time.Unix(1e9, 0)}
	f.Cache = New(conf, size, f.note)
	f.now = func() time.Time { return f.clock }
	return f
}

func (f *fixture) note(_ errlog.Level, msg string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, msg)
}

// lookup begins a use that the test ends.
func (f *fixture) lookup(key string, change func(*Options)) *Lookup {
	o := &Options{Text: key, MinUses: 1, Log: f.note, Header: func(string) string { return "" }}
	if change != nil {
		change(o)
	}
	l := f.NewLookup(o)
	f.t.Cleanup(l.Free)
	return l
}

func (f *fixture) open(l *Lookup, want Verdict) {
	f.t.Helper()
	if v, err := l.Open(); v != want || err != nil {
		f.t.Fatalf("Open(%q) is %v, %v, want %v (log %q)", l.Text, v, err, want, f.lines)
	}
}

// keep puts a response into the cache.
func (f *fixture) keep(l *Lookup, m Meta, body string) {
	f.t.Helper()
	w, err := l.Create(m)
	if err != nil {
		f.t.Fatal(err)
	}
	defer w.Close()
	for piece := range strings.SplitAfterSeq(body, "\n") {
		if _, err := w.Write([]byte(piece)); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		f.t.Fatal(err)
	}
}

// until is a response that is valid for so many seconds.
func (f *fixture) until(seconds int64) Meta {
	now := f.clock.Unix()
	return Meta{Valid: now + seconds, Date: now, LastModified: -1, Head: "HTTP/1.1 200 OK\r\n\r\n"}
}

// put keeps a response as a request does that finds none.
func (f *fixture) put(key, body string) {
	f.t.Helper()
	l := f.lookup(key, nil)
	f.open(l, Missing)
	f.keep(l, f.until(60), body)
}

// body is what a lookup found.
func body(l *Lookup) string {
	b, err := io.ReadAll(io.NewSectionReader(l.Body(), l.BodyStart, l.Length))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (f *fixture) want(key, text string) {
	f.t.Helper()
	l := f.lookup(key, nil)
	f.open(l, Fresh)
	if got := body(l); got != text {
		f.t.Errorf("%s is %q, want %q", key, got, text)
	}
	l.Free()
}

func TestKeepAndFind(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	l := f.lookup("key", nil)
	f.open(l, Missing)
	m := f.until(10)
	m.ETag, m.Updating, m.Error, m.LastModified = `"tag"`, 3, 4, 77
	f.keep(l, m, "body\nof two lines")
	// The file lies where nginx's would.
	if _, err := os.Stat(f.Path + "/d/31/3c6e0b8a9c15224a8228b9a98ca1531d"); err != nil {
		t.Error(err)
	}
	l = f.lookup("key", nil)
	f.open(l, Fresh)
	got := l.Meta
	got.BodyStart, m.Length = 0, int64(len("body\nof two lines"))
	if got != m || body(l) != "body\nof two lines" {
		t.Errorf("found %+v, want %+v, %q", got, m, body(l))
	}
	f.clock = f.clock.Add(11 * time.Second)
	l = f.lookup("key", nil)
	f.open(l, Stale)
	if !l.StaleUpdating || !l.StaleError {
		t.Errorf("one second late: %v %v", l.StaleUpdating, l.StaleError)
	}
	f.open(f.lookup("key", nil), Updating)
	m.Valid = f.clock.Unix() + 5
	l.Refresh(m)
	l.Free()
	f.open(f.lookup("key", nil), Fresh)
	if n, bytes := f.Usage(); n != 1 || bytes != f.blockSize {
		t.Errorf("%d responses, %d bytes", n, bytes)
	}
}

func TestMinUses(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	f.cold = false
	two := func(o *Options) { o.MinUses = 2 }
	l := f.lookup("key", two)
	f.open(l, Scarce)
	l.Free()
	l = f.lookup("key", two)
	f.open(l, Missing)
	f.keep(l, f.until(1), "x")
	f.want("key", "x")
}

func TestRemember(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	l := f.lookup("key", nil)
	f.open(l, Missing)
	l.Remember(502, f.clock.Unix()+5)
	l.Free()
	l = f.lookup("key", nil)
	f.open(l, Remembered)
	if l.Status != 502 {
		t.Errorf("status %d", l.Status)
	}
	l.Free()
	f.clock = f.clock.Add(6 * time.Second)
	f.open(f.lookup("key", nil), Missing)
}

// TestVary: each variant has a file, and a response whose Vary has changed goes back to the
// key itself.
func TestVary(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	by := func(accept string) func(o *Options) {
		return func(o *Options) {
			o.Header = func(name string) string {
				if name == "accept" {
					return accept
				}
				return ""
			}
		}
	}
	m := f.until(60)
	m.Vary = "Accept, X"
	for _, accept := range []string{"a", "b", ""} {
		l := f.lookup("key", by(accept))
		f.open(l, Missing)
		f.keep(l, m, "for "+accept)
	}
	for accept, want := range map[string]string{"a": "for a", "b": "for b", "": "for "} {
		l := f.lookup("key", by(accept))
		f.open(l, Fresh)
		if got := body(l); got != want {
			t.Errorf("%q gives %q", accept, got)
		}
	}
	l := f.lookup("key", by("c, d"))
	f.open(l, Missing)
	f.keep(l, f.until(60), "for all")
	f.want("key", "for all")
	f.open(f.lookup("key", by("c")), Fresh)
}

func TestLock(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	f.now = time.Now
	locked := func(o *Options) { o.Lock, o.LockTimeout, o.LockAge = true, time.Minute, time.Minute }
	first, second, third := f.lookup("key", locked), f.lookup("key", locked), f.lookup("key", locked)
	f.open(first, Missing)
	f.open(second, Busy)
	f.open(third, Busy)
	woken := make(chan bool, 2)
	go func() { woken <- second.Wait(nil) }()
	go func() { woken <- third.Wait(nil) }()
	f.clock = time.Now()
	f.keep(first, f.until(60), "x")
	for range 2 {
		if !<-woken {
			t.Error("a wait was given up")
		}
	}
	f.open(second, Fresh)
	f.open(third, Fresh)

	// The client goes away, the time is over, the one that asks takes too long.
	asks := f.lookup("other", locked)
	f.open(asks, Missing)
	gone := make(chan struct{})
	close(gone)
	l := f.lookup("other", locked)
	f.open(l, Busy)
	if l.Wait(gone) {
		t.Error("a client that has gone waits")
	}
	l = f.lookup("other", func(o *Options) { locked(o); o.LockTimeout = time.Millisecond })
	f.open(l, Busy)
	l.Wait(nil)
	f.open(l, Scarce)
	aged := func(o *Options) { locked(o); o.LockAge = time.Millisecond }
	f.open(f.lookup("aged", aged), Missing)
	l = f.lookup("aged", aged)
	if v, _ := l.Open(); v == Busy {
		l.Wait(nil)
		f.open(l, Missing)
	}
}

// TestDamaged: no byte of the file before the body, and no other length of it, goes unnoticed.
func TestDamaged(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	f.put("key", "body")
	name := f.file(KeyOf("key"))
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l := f.lookup("key", nil)
		if v, err := l.Open(); v != Missing || err != nil {
			t.Errorf("%s: %v, %v", what, v, err)
		}
		l.Free()
	}
	for i := range len(good) - len("body") {
		b := append([]byte(nil), good...)
		b[i] ^= 0x10
		check(fmt.Sprint("byte ", i), b)
	}
	for n := range len(good) {
		check(fmt.Sprint("length ", n), good[:n])
	}
	check("longer", append(good[:len(good):len(good)], 'x'))
	if err := os.WriteFile(name, good, 0o600); err != nil {
		t.Fatal(err)
	}
	f.want("key", "body")
	// Another key's file under this name.
	f.put("other", "other's")
	if err := os.Rename(f.file(KeyOf("other")), name); err != nil {
		t.Fatal(err)
	}
	f.open(f.lookup("key", nil), Missing)
	if last := f.lines[len(f.lines)-1]; !strings.HasSuffix(last, "has md5 collision") {
		t.Errorf("the log says %q", last)
	}
}

func TestInactiveAndSize(t *testing.T) {
	f := newFixture(t, 1<<20, func(c *Config) { c.Inactive, c.MaxSize = time.Minute, 4*4096 })
	f.blockSize = 4096
	f.put("a", "a")
	f.clock = f.clock.Add(30 * time.Second)
	f.put("b", "b")
	f.clock = f.clock.Add(31 * time.Second)
	if wait := f.manage(); wait != 10*time.Second {
		t.Errorf("rests for %v", wait)
	}
	if n, _ := f.Usage(); n != 1 {
		t.Errorf("%d responses", n)
	}
	f.want("b", "b")
	if _, err := os.Stat(f.file(KeyOf("a"))); !gone(err) {
		t.Errorf("the file of a: %v", err)
	}
	for _, k := range []string{"c", "d", "e"} {
		f.put(k, k)
	}
	f.manage() // less than max_size is left: the one not used for longest goes
	f.open(f.lookup("b", nil), Missing)
	f.want("c", "c")
	// What is in use stays.
	l := f.lookup("c", nil)
	f.open(l, Fresh)
	f.clock = f.clock.Add(time.Hour)
	f.manage()
	if n, _ := f.Usage(); n != 1+1 { // b is looked up
		t.Errorf("%d responses", n)
	}
	if body(l) != "c" {
		t.Error("c has gone while it was sent")
	}
}

// freeFS says how much is left.
type freeFS struct {
	FS
	left func() int64
}

func (f freeFS) Free(string) (int64, error) { return f.left(), nil }

func TestMinFree(t *testing.T) {
	f := newFixture(t, 1<<20, func(c *Config) { c.MinFree = 100 })
	f.fs = freeFS{osFS{}, func() int64 { n, _ := f.Usage(); return 130 - int64(n)*10 }}
	for i := range 6 {
		f.put(fmt.Sprint(i), "x")
	}
	f.manage()
	if n, _ := f.Usage(); n != 3 {
		t.Errorf("%d responses are left", n)
	}
}

// TestZoneFull: a zone of eight pages holds what nginx's holds, and the oldest makes room.
func TestZoneFull(t *testing.T) {
	f := newFixture(t, 8*4096, nil)
	for i := range 500 {
		f.put(fmt.Sprint(i), "x")
	}
	n, _ := f.Usage()
	if n > 7*32 || n < 6*32 {
		t.Errorf("%d responses", n)
	}
	f.want("499", "x")
	f.open(f.lookup("0", nil), Missing)
	files := 0
	err := filepath.WalkDir(f.Path, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != n-1 { // "0" has a place and no file
		t.Errorf("%d files, %d responses, %v", files, n, err)
	}
	// Nothing can go while all is in use.
	g := newFixture(t, 8*4096, nil)
	for i := range 1000 {
		if _, err := g.lookup(fmt.Sprint(i), nil).Open(); err != nil {
			if err != ErrFull || g.lines[0] != `could not allocate node in cache keys zone "z"` {
				t.Errorf("%v, %q", err, g.lines)
			}
			return
		}
	}
	t.Error("a zone of eight pages never fills")
}

// fullFS has room for so many bytes.
type fullFS struct {
	FS
	room *int
}

type fullFile struct {
	File
	room *int
}

func (f fullFS) Create(name string) (File, error) {
	file, err := f.FS.Create(name)
	return fullFile{file, f.room}, err
}

func (f fullFile) WriteAt(p []byte, at int64) (int, error) {
	n := min(len(p), *f.room)
	*f.room -= n
	m, err := f.File.WriteAt(p[:n], at)
	if err == nil && m < len(p) {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return m, err
}

func TestDiskFull(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	room := 200
	f.fs = fullFS{osFS{}, &room}
	l := f.lookup("key", nil)
	f.open(l, Missing)
	w, err := l.Create(f.until(60))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(strings.Repeat("x", 300)))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write: %v", err)
	}
	w.Abort()
	w.Close()
	l.Free()
	if len(f.lines) != 1 || !strings.HasSuffix(f.lines[0], "failed (28: No space left on device), the response is not cached") {
		t.Errorf("the log says %q", f.lines)
	}
	if n, bytes := f.Usage(); n != 0 || bytes != 0 {
		t.Errorf("%d responses, %d bytes", n, bytes)
	}
	if left, _ := filepath.Glob(f.Path + "/*/*/*"); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
}

// TestTempDir: files are written elsewhere, on another file system too.
func TestTempDir(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	elsewhere := t.TempDir()
	for _, fs := range []FS{osFS{}, otherDisk{osFS{}, elsewhere}} {
		f.fs = fs
		l := f.lookup("key", func(o *Options) { o.TempDir = elsewhere })
		if _, err := l.Open(); err != nil {
			t.Fatal(err)
		}
		w, err := l.Create(f.until(60))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(w.Name(), elsewhere) {
			t.Errorf("written to %s", w.Name())
		}
		fmt.Fprint(w, "body")
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		f.want("key", "body")
		if left, _ := filepath.Glob(elsewhere + "/*"); len(left) != 0 {
			t.Errorf("%q is left", left)
		}
	}
}

// otherDisk does not rename what is in a folder to outside.
type otherDisk struct {
	FS
	dir string
}

func (o otherDisk) Rename(from, to string) error {
	if strings.HasPrefix(from, o.dir) != strings.HasPrefix(to, o.dir) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
	}
	return o.FS.Rename(from, to)
}

// TestLoad: a new zone knows the files of the one before; what was left unfinished goes.
func TestLoad(t *testing.T) {
	f := newFixture(t, 1<<20, nil)
	for i := range 20 {
		f.put(fmt.Sprint(i), fmt.Sprint("body ", i))
	}
	small, foreign := filepath.Dir(f.file(KeyOf("1")))+"/"+strings.Repeat("0", 28)+f.file(KeyOf("1"))[len(f.file(KeyOf("1")))-4:], f.Path+"/README"
	half := f.file(KeyOf("2")) + tempMark + "0-abc-1"
	dead := f.file(KeyOf("2")) + tempMark + "2147483646-abc-1"
	for _, name := range []string{small, foreign, half, dead} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := newFixture(t, 1<<20, func(c *Config) { c.Path = f.Path; c.Loader.Files = 7; c.Loader.Sleep = time.Millisecond })
	stop := make(chan struct{})
	g.want("3", "body 3") // before the loader has come to it
	g.Load(stop)
	if n, _ := g.Usage(); n != 20 || g.Cold() {
		t.Errorf("%d responses, cold: %v", n, g.Cold())
	}
	for i := range 20 {
		g.want(fmt.Sprint(i), fmt.Sprint("body ", i))
	}
	for name, stays := range map[string]bool{small: false, foreign: true, dead: false} {
		if _, err := os.Stat(name); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A reload goes on with what there is; a loader that was stopped leaves the rest to the next.
	if n, _ := g.Keep(g.Config, g.note).Usage(); n != 20 {
		t.Errorf("a reload knows %d", n)
	}
	h := newFixture(t, 1<<20, func(c *Config) { c.Path = f.Path })
	close(stop)
	h.Load(stop)
	if !h.Cold() {
		t.Error("a loader that was stopped has seen all")
	}
	h.Load(make(chan struct{}))
	if n, _ := h.Usage(); n != 20 {
		t.Errorf("the next loader knows %d", n)
	}
	done := make(chan struct{})
	go func() { h.Manage(stop); close(done) }()
	<-done
}

const crashDir = "FILECACHE_CRASH_DIR"

// crashBody is the body of a key: any two differ in length and everywhere.
func crashBody(i, generation int) string {
	return strings.Repeat(fmt.Sprintf("%d/%d;", i, generation), 1+(i*7+generation)%300)
}

const crashKeys = 10000

// TestMain is the process that is killed, where the environment says so: it writes responses
// over and over.
func TestMain(m *testing.M) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	conf := Default(dir)
	conf.Levels = []int{1, 2}
	quiet := func(errlog.Level, string) {}
	c := New(conf, 16<<20, quiet)
	for generation := os.Getpid(); ; generation++ {
		for i := range crashKeys {
			l := c.NewLookup(&Options{Text: fmt.Sprint(i), MinUses: 1, Log: quiet})
			if _, err := l.Open(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			w, err := l.Create(Meta{Valid: math.MaxInt64, Date: int64(generation), Head: "head"})
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			text := crashBody(i, generation)
			for len(text) > 0 { // in pieces, so that there is a middle
				n := min(len(text), 500)
				if _, err := io.WriteString(w, text[:n]); err != nil {
					os.Exit(1)
				}
				text = text[n:]
			}
			if err := w.Commit(); err != nil {
				os.Exit(1)
			}
			w.Close()
			if i%50 == 0 {
				fmt.Println(i)
			}
		}
		fmt.Println("round")
	}
}

// TestKilled: 10,000 responses are written by a process that is killed in the middle of it,
// again and again; what is found after that is one that was complete.
func TestKilled(t *testing.T) {
	f := newFixture(t, 16<<20, nil)
	for round := range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashDir+"="+f.Path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		left := 3 + round*17 // lines until the end
		if round == 0 {
			left += crashKeys/50 + 1 // all are there once
		}
		for s := bufio.NewScanner(out); left > 0 && s.Scan(); {
			left--
		}
		if err := child.Process.Kill(); err != nil || left > 0 {
			t.Fatalf("kill: %v, %d", err, left)
		}
		_ = child.Wait()
	}
	g := newFixture(t, 16<<20, func(c *Config) { c.Path = f.Path; c.Loader.Files, c.Loader.Threshold = 1<<30, time.Hour })
	g.Load(nil)
	if n, _ := g.Usage(); n != crashKeys {
		t.Errorf("%d responses", n)
	}
	for i := range crashKeys {
		l := g.lookup(fmt.Sprint(i), nil)
		g.open(l, Fresh)
		if got := body(l); got != crashBody(i, int(l.Date)) {
			t.Fatalf("%d is %.100q of %d", i, got, l.Date)
		}
		l.Free()
	}
	halves := 0
	_ = filepath.WalkDir(g.Path, func(path string, _ os.DirEntry, _ error) error {
		if strings.Contains(path, tempMark) {
			halves++
		}
		return nil
	})
	if halves != 0 || len(g.lines) != 1 {
		t.Errorf("%d files are unfinished, the log says %q", halves, g.lines)
	}
}
