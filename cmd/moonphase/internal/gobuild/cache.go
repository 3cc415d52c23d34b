package gobuild

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cache is the folder in which builds are kept, one entry a program and target.
// What is in it gets executed, so it belongs to the user alone: it is made with
// mode 0700, and a folder that somebody else owns or can write to is refused.
type Cache struct {
	Dir   string
	Limit int64 // bytes that entries may take together
}

// DefaultLimit is the size that the cache is kept below when
// MOONPHASE_CACHE_LIMIT does not say otherwise.
const DefaultLimit = 2 << 30

// OpenCache finds and makes the cache folder: $MOONPHASE_CACHE, else moonphase in
// the user's cache folder, else, for a user without a home, a folder of their own
// below the system's temporary one.
func OpenCache() (*Cache, error) {
	limit, err := cacheLimit(os.Getenv("MOONPHASE_CACHE_LIMIT"))
	if err != nil {
		return nil, err
	}
	c := &Cache{Dir: os.Getenv("MOONPHASE_CACHE"), Limit: limit}
	stat := os.Stat
	if c.Dir == "" {
		if base, err := os.UserCacheDir(); err == nil {
			c.Dir = filepath.Join(base, "moonphase")
		} else {
			c.Dir = filepath.Join(os.TempDir(), "moonphase-"+strconv.Itoa(os.Getuid()))
			stat = os.Lstat // anybody can put a link to one of the user's folders there
		}
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the build cache: %w", err)
	}
	return c, private(c.Dir, stat)
}

// private refuses a folder that others could have put something into. One that
// they can only read is closed to them.
func private(dir string, stat func(string) (os.FileInfo, error)) error {
	const advice = "; set MOONPHASE_CACHE to a folder of your own"
	info, err := stat(dir)
	if err != nil {
		return fmt.Errorf("cannot use the build cache: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the build cache %s is not a folder%s", dir, advice)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the build cache %s belongs to user %d, not to user %d who builds%s", dir, st.Uid, os.Geteuid(), advice)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("the build cache %s can be written by others (mode %04o): chmod 700 it%s", dir, mode, advice)
	} else if mode&0o077 != 0 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// cacheLimit reads a size such as 500m or 2g; "" is the default, 0 keeps nothing
// but what was built last.
func cacheLimit(text string) (int64, error) {
	if text == "" {
		return DefaultLimit, nil
	}
	digits := strings.TrimRight(text, "kKmMgG")
	shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30}
	bits, known := shift[strings.ToLower(text[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n < 0 || n > math.MaxInt64>>bits {
		return 0, fmt.Errorf("MOONPHASE_CACHE_LIMIT: invalid size %q (want bytes, or a number with k, m or g)", text)
	}
	return n << bits, nil
}

// entry is one folder of the cache, locked for this process.
type entry struct {
	dir  string
	lock *os.File
}

// Files of an entry. Everything else in it is Go source.
const (
	lockFile   = "lock"  // held while the entry is built or its binary is about to be used
	stampFile  = "stamp" // what the binary was made from; its time is that of the last use
	binaryFile = "bin"
)

// enter makes and locks the entry of a name, waiting while another process has it.
// wait, when not nil, is called before it waits.
func (c *Cache) enter(name string, wait func()) (*entry, error) {
	dir := filepath.Join(c.Dir, name)
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := private(dir, os.Lstat); err != nil {
			return nil, err
		}
		lock, err := lockEntry(dir, wait)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return &entry{dir, lock}, nil
		}
	}
}

// lockEntry takes an entry's lock. It is nil when the entry was removed meanwhile.
// Without wait it does not wait: a lock that is taken is errBusy.
func lockEntry(dir string, wait func()) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		if wait == nil {
			f.Close()
			return nil, errBusy
		}
		wait()
		err = flock(f, syscall.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	mine, err := f.Stat()
	if now, err2 := os.Lstat(path); err != nil || err2 != nil || !os.SameFile(mine, now) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

// errBusy stands for an entry that another process uses.
var errBusy = errors.New("in use")

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

func (e *entry) path(name string) string { return filepath.Join(e.dir, name) }

// release lets other processes use the entry. It is safe to call twice.
func (e *entry) release() { e.lock.Close() }

// Stored describes an entry of the cache.
type Stored struct {
	Name string
	Size int64
	Used time.Time // last
}

// entryName is what enter's callers name entries: other files are not ours.
var entryName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Entries lists what is in the cache, the least recently used first.
func (c *Cache) Entries() ([]Stored, error) {
	names, err := os.ReadDir(c.Dir)
	if err != nil {
		return nil, err
	}
	var list []Stored
	for _, n := range names {
		if !n.IsDir() || !entryName.MatchString(n.Name()) {
			continue
		}
		s := Stored{Name: n.Name()}
		dir := filepath.Join(c.Dir, n.Name())
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // removed by another process
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				s.Size += info.Size()
			}
			return nil
		})
		for _, file := range []string{stampFile, lockFile} {
			if info, err := os.Stat(filepath.Join(dir, file)); err == nil {
				s.Used = info.ModTime()
				break
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Stored) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

// Trim removes the least recently used entries until the rest takes at most limit
// bytes. Entries in use stay. It returns what it removed.
func (c *Cache) Trim(limit int64) ([]Stored, error) {
	entries, err := c.Entries()
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, e := range entries {
		total += e.Size
	}
	var removed []Stored
	for _, e := range entries {
		if total <= limit {
			break
		}
		dir := filepath.Join(c.Dir, e.Name)
		lock, err := lockEntry(dir, nil)
		if err != nil || lock == nil {
			continue
		}
		err = os.RemoveAll(dir)
		lock.Close()
		if err != nil {
			return removed, err
		}
		total -= e.Size
		removed = append(removed, e)
	}
	return removed, nil
}
