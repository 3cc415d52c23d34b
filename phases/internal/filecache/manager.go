package filecache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// maxRest is how long the manager rests at most.
const maxRest = 10 * time.Second

// poke wakes the manager.
func (s *store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tooMuch tells whether the files take more than max_size. The caller holds the lock.
func (c *Cache) tooMuch() bool {
	return c.MaxSize != maxInt64 && c.blocks >= c.MaxSize/c.blockSize || len(c.nodes) >= c.watermark
}

const maxInt64 = 1<<63 - 1

// Manage removes what has not been asked for, and what is too much, until stop is closed
// (ngx_http_file_cache_manager).
func (c *Cache) Manage(stop <-chan struct{}) {
	for {
		timer := time.NewTimer(c.manage())
		select {
		case <-stop:
			timer.Stop()
			return
		case <-c.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// manage does what there is to do now and says how long to rest.
func (c *Cache) manage() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := time.Now()
	for files := 0; ; files++ {
		if files >= c.Manager.Files || time.Since(begun) > c.Manager.Threshold {
			return c.Manager.Sleep
		}
		wait, removed := c.expire()
		if removed {
			continue
		}
		if !c.tooMuch() && !c.low() {
			return wait
		}
		if !c.evict() {
			return time.Second
		}
	}
}

// low tells whether the file system has less than min_free left. The lock is put down
// meanwhile.
func (c *Cache) low() bool {
	if c.MinFree == 0 || len(c.nodes) == 0 {
		return false
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	left, err := c.fs.Free(c.Path)
	return err == nil && left < c.MinFree
}

// expire removes the response that has not been asked for for longest, if it is for longer
// than inactive; else it says when that will be so (ngx_http_file_cache_expire).
func (c *Cache) expire() (wait time.Duration, removed bool) {
	now := c.now().Unix()
	for n := c.used.prev; n != &c.used; n = n.prev {
		if left := n.expire - now; left > 0 {
			return min(time.Duration(left)*time.Second, maxRest), false
		}
		if n.count == 0 {
			c.remove(n)
			return 0, true
		}
	}
	return maxRest, false
}

// maxBusy is how many responses in use are passed over before one is removed.
const maxBusy = 20

// evict removes the response that has not been asked for for longest. It reports whether
// there was one that nobody uses. The caller holds the lock (ngx_http_file_cache_forced_expire).
func (c *Cache) evict() bool {
	n := c.used.prev
	for range maxBusy {
		if n == &c.used {
			return false
		}
		if n.count == 0 {
			c.remove(n)
			return true
		}
		n = n.prev
	}
	return false
}

// remove removes a response that nobody uses, with its file. The caller holds the lock, which
// is put down meanwhile (ngx_http_file_cache_delete).
func (c *Cache) remove(n *node) {
	if n.exists {
		c.blocks -= n.blocks
		n.exists, n.blocks, n.deleting = false, 0, true
		n.count++
		c.mu.Unlock()
		name := c.file(n.key)
		err := c.fs.Remove(name)
		if err != nil && !gone(err) {
			c.log(errlog.Crit, fmt.Sprintf("unlink() \"%s\" failed (%s)", name, conf.Errno(err)))
		}
		c.mu.Lock()
		n.count--
		n.deleting = false
	}
	if n.count == 0 && !n.exists {
		c.forget(n)
	}
}

// errStopped ends the loader.
var errStopped = errors.New("stopped")

// Load makes the zone know the files that there are, and removes what was left unfinished,
// until that is done or stop is closed (ngx_http_file_cache_loader).
func (c *Cache) Load(stop <-chan struct{}) {
	for {
		c.mu.Lock()
		cold, busy := c.cold, c.loading
		c.loading = c.loading || cold
		c.mu.Unlock()
		switch {
		case !cold:
			return
		case !busy:
			l := &loader{c: c, stop: stop, begun: time.Now()}
			err := l.walk(c.Path, c.Levels, "")
			c.mu.Lock()
			c.cold, c.loading = err == errStopped, false
			blocks := c.blocks
			c.mu.Unlock()
			if err == nil {
				c.log(errlog.Notice, fmt.Sprintf("http file cache: %s %.3fM, bsize: %d", c.Path,
					float64(blocks*c.blockSize)/(1<<20), c.blockSize))
			}
			c.poke()
			return
		}
		select { // the configuration before has not stopped yet
		case <-stop:
			return
		case <-time.After(loaderPoll):
		}
	}
}

// loaderPoll is how often a loader looks whether the one before it has ended.
const loaderPoll = 100 * time.Millisecond

// loader walks through the files.
type loader struct {
	c     *Cache
	stop  <-chan struct{}
	files int
	begun time.Time
}

// readBatch is how many names are read at once.
const readBatch = 256

// walk goes through a folder and those below it; ends is what the names of the folders
// around say that the name of a file ends in.
func (l *loader) walk(path string, levels []int, ends string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(readBatch)
		for _, e := range entries {
			name := path + "/" + e.Name()
			switch {
			case e.IsDir() && len(levels) > 0 && len(e.Name()) == levels[0]:
				if err := l.walk(name, levels[1:], e.Name()+ends); err == errStopped {
					return err
				}
			case !e.Type().IsRegular():
			case strings.Contains(e.Name(), tempMark):
				l.sweep(name, e.Name())
			case len(levels) == 0 && strings.HasSuffix(e.Name(), ends):
				l.add(name, e)
			}
			if err := l.rest(); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// rest counts a file and makes a pause when it is time for one.
func (l *loader) rest() error {
	l.files++
	pace := &l.c.Loader
	if l.files < pace.Files && time.Since(l.begun) < pace.Threshold {
		select {
		case <-l.stop:
			return errStopped
		default:
			return nil
		}
	}
	select {
	case <-l.stop:
		return errStopped
	case <-time.After(pace.Sleep):
	}
	l.files, l.begun = 0, time.Now()
	return nil
}

// add makes the zone know a file (ngx_http_file_cache_add).
func (l *loader) add(path string, e os.DirEntry) {
	var k Key
	if n, err := hex.Decode(k[:], []byte(e.Name())); err != nil || n != len(k) || len(e.Name()) != 2*len(k) {
		return
	}
	info, err := e.Info()
	if err != nil {
		return
	}
	c := l.c
	if info.Size() < fixedSize {
		c.log(errlog.Crit, fmt.Sprintf("cache file \"%s\" %v", path, errSmall))
		_ = c.fs.Remove(path)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := c.find(k)
	if n == nil {
		return
	}
	c.touch(n)
	if !n.exists && !n.deleting {
		n.exists, n.blocks = true, c.blocksOf(info.Size())
		c.blocks += n.blocks
	}
}

// sweep removes a file that a process left unfinished which is not there any more.
func (l *loader) sweep(path, name string) {
	_, who, _ := strings.Cut(name, tempMark)
	if strings.HasPrefix(who, run+"-") {
		return
	}
	pid, err := strconv.Atoi(who[:max(strings.IndexByte(who, '-'), 0)])
	if err != nil || pid != os.Getpid() && syscall.Kill(pid, 0) != syscall.ESRCH {
		return
	}
	_ = l.c.fs.Remove(path)
}
