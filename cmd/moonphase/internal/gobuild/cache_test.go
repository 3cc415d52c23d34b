package gobuild

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cacheIn is a cache in a fresh folder.
func cacheIn(t *testing.T) *Cache {
	t.Helper()
	t.Setenv("MOONPHASE_CACHE", filepath.Join(t.TempDir(), "cache"))
	c, err := OpenCache()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// store makes an entry of size bytes, last used so many hours ago.
func store(t *testing.T, c *Cache, name string, size int, hours time.Duration) {
	t.Helper()
	e, err := c.enter(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.release()
	for file, n := range map[string]int{binaryFile: size, stampFile: 0} {
		if err := os.WriteFile(e.path(file), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	used := time.Now().Add(-hours * time.Hour)
	if err := os.Chtimes(e.path(stampFile), used, used); err != nil {
		t.Fatal(err)
	}
}

func names(list []Stored) string {
	var words []string
	for _, e := range list {
		words = append(words, strings.TrimLeft(e.Name, "0"))
	}
	return strings.Join(words, " ")
}

func TestCacheFolderIsPrivate(t *testing.T) {
	c := cacheIn(t)
	mode := func() os.FileMode {
		info, err := os.Stat(c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if mode() != 0o700 {
		t.Errorf("a new folder has mode %04o, want 0700", mode())
	}
	for _, tt := range []struct {
		mode os.FileMode
		want string // in the error; "" accepts the folder and closes it
	}{
		{0o700, ""}, {0o755, ""}, {0o711, ""},
		{0o770, "can be written by others (mode 0770)"}, {0o702, "can be written by others (mode 0702)"},
	} {
		if err := os.Chmod(c.Dir, tt.mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenCache()
		switch {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), c.Dir)):
			t.Errorf("mode %04o: error %v, want the folder and %q", tt.mode, err, tt.want)
		case tt.want == "" && (err != nil || mode() != 0o700):
			t.Errorf("mode %04o: error %v and then mode %04o, want none and 0700", tt.mode, err, mode())
		}
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// An entry that others could have written into counts as little.
	store(t, c, "000000000000000a", 1, 0)
	if err := os.Chmod(filepath.Join(c.Dir, "000000000000000a"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := c.enter("000000000000000a", nil); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("an open entry: error %v, want a refusal", err)
	}
}

func TestCacheOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		// Only root can give a folder away; the root folder is somebody else's.
		t.Setenv("MOONPHASE_CACHE", "/")
	} else {
		dir := t.TempDir()
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
		t.Setenv("MOONPHASE_CACHE", dir)
	}
	if _, err := OpenCache(); err == nil || !strings.Contains(err.Error(), "belongs to user") {
		t.Errorf("error %v, want a refusal that names the owner", err)
	}
}

func TestCacheWithoutHome(t *testing.T) {
	tmp := t.TempDir()
	for name, value := range map[string]string{"MOONPHASE_CACHE": "", "HOME": "", "XDG_CACHE_HOME": "", "TMPDIR": tmp} {
		t.Setenv(name, value)
	}
	c, err := OpenCache()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(tmp, "moonphase-"+strconv.Itoa(os.Getuid())); c.Dir != want {
		t.Errorf("folder %s, want %s", c.Dir, want)
	}
	if err := private(c.Dir, os.Lstat); err != nil {
		t.Error(err)
	}
	// Somebody else may have been there first.
	if err := os.Remove(c.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), c.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCache(); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("a link in the temporary folder: error %v, want a refusal", err)
	}
}

func TestCacheLimit(t *testing.T) {
	for text, want := range map[string]int64{"": DefaultLimit, "0": 0, "10": 10, "3k": 3 << 10, "5M": 5 << 20, "2g": 2 << 30} {
		if got, err := cacheLimit(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "k", "-1", "1kk", "1t", "9223372036854775807k"} {
		if _, err := cacheLimit(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: error %v, want one with the text", text, err)
		}
	}
}

func TestCacheTrim(t *testing.T) {
	c := cacheIn(t)
	store(t, c, "000000000000000b", 100, 2)
	store(t, c, "000000000000000a", 100, 3)
	store(t, c, "000000000000000d", 100, 0)
	store(t, c, "000000000000000c", 100, 1)
	foreign := filepath.Join(c.Dir, "notes.txt")
	if err := os.WriteFile(foreign, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := c.enter("000000000000000b", nil)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := c.Trim(250)
	if err != nil || names(removed) != "a c" {
		t.Errorf("removed %q, %v; want the least recently used that nobody holds: a c", names(removed), err)
	}
	busy.release()
	if removed, err = c.Trim(-1); err != nil || names(removed) != "b d" {
		t.Errorf("clean removed %q, %v; want b d", names(removed), err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not ours is gone: %v", err)
	}
}

func TestEntryLock(t *testing.T) {
	c := cacheIn(t)
	const name = "000000000000000a"
	first, err := c.enter(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.enter(name, nil); !errors.Is(err, errBusy) {
		t.Errorf("a second holder: error %v, want %v", err, errBusy)
	}
	// One that waits gets the entry, made anew when it was removed meanwhile.
	waits, done := make(chan struct{}), make(chan error)
	go func() {
		e, err := c.enter(name, func() { close(waits) })
		if err == nil {
			_, err = os.Stat(e.path(lockFile))
			e.release()
		}
		done <- err
	}()
	<-waits
	if err := os.RemoveAll(first.dir); err != nil {
		t.Fatal(err)
	}
	first.release()
	if err := <-done; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
}

func TestTargetDecidesTheEntry(t *testing.T) {
	src, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, env := range []string{"GOARCH=amd64", "GOARCH=arm64", "GOOS=darwin", "GOAMD64=v3", "GOFLAGS=-gcflags=-N", "GOEXPERIMENT=fieldtrack"} {
		t.Run(env, func(t *testing.T) {
			for _, e := range []string{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOFLAGS=", "GOEXPERIMENT=", env} {
				name, value, _ := strings.Cut(e, "=")
				t.Setenv(name, value)
			}
			tool, err := findToolchain(src, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			stamp, err := (&Job{}).stamp(src, tool)
			if err != nil {
				t.Fatal(err)
			}
			if other := seen[stamp]; other != "" {
				t.Errorf("same stamp as with %s", other)
			}
			seen[stamp] = env
		})
	}
}
