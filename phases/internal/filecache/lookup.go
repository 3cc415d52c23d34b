package filecache

import (
	"crypto/md5"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Options say how a request looks for a response.
type Options struct {
	Text        string // of the key
	MinUses     int    // requests after which a response is kept; 1: at once
	Lock        bool   // one request at a time asks for what is not there
	LockTimeout time.Duration
	LockAge     time.Duration // after which one more may ask
	// Header is a header of the request, given in lower case, its lines joined by commas;
	// "" without it. It tells the variants apart of responses with Vary.
	Header  func(name string) string
	TempDir string // where files are written, "" for beside the others
	Log     func(level errlog.Level, msg string)
}

// Verdict is what a Lookup found.
type Verdict int

const (
	Missing    Verdict = iota // nothing: ask, and keep the answer
	Scarce                    // nothing, and the answer is not to be kept
	Busy                      // another request asks: see Wait
	Fresh                     // a response that may be served
	Stale                     // one whose time is over; this request is the one to ask anew
	Updating                  // one whose time is over, and another request asks anew
	Remembered                // the error Status, without a response
)

// Lookup is one request's use of a cache (ngx_http_cache_t). One goroutine uses it, and
// ends with Free.
type Lookup struct {
	*Options
	Meta          // of what Open found
	Status int    // of Remembered
	Text   string // of the key

	c         *Cache
	main, key Key
	variant   Key
	secondary bool // key is that of a variant
	node      *node
	file      File // what Open found

	StaleUpdating bool // what was found says that it may be served while it is asked for anew
	StaleError    bool // likewise, when that fails

	waitUntil time.Time // for another request's answer, zero before the first wait
	timedOut  bool
	turn      uint64 // of the update that is this request's, 0 when it is another's
	freed     bool
}

// NewLookup begins the use of the cache. It asks nothing yet.
func (c *Cache) NewLookup(o *Options) *Lookup {
	k := KeyOf(o.Text)
	return &Lookup{Options: o, Text: o.Text, c: c, main: k, key: k}
}

// ErrFull says that the zone has no room for another key.
var ErrFull = errors.New("could not allocate node")

// Open looks for the response. It is called again after Wait. The error is ErrFull or one of
// the file system (ngx_http_file_cache_open).
func (l *Lookup) Open() (Verdict, error) {
	for {
		l.CloseFile()
		v, look, err := l.exists()
		if err != nil || !look {
			if err == nil && v == Missing {
				v = l.lock()
			}
			return v, err
		}
		f, err := l.c.fs.Open(l.c.file(l.key), false)
		switch {
		case err != nil && gone(err):
			if v == Missing {
				v = l.lock()
			}
			return v, nil
		case err != nil:
			l.Log(errlog.Crit, fmt.Sprintf("open() \"%s\" failed (%s)", l.c.file(l.key), conf.Errno(err)))
			return Missing, err
		}
		l.file = f
		found, again := l.read()
		if !again {
			return found, nil
		}
	}
}

// exists notes in the zone that the response is asked for. v is the verdict where there is no
// file to be looked for, or where there turns out to be none (ngx_http_file_cache_exists).
func (l *Lookup) exists() (v Verdict, look bool, err error) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	n, fresh := l.node, false
	if n == nil {
		if n, fresh = c.find(l.key); n == nil {
			l.Log(errlog.Alert, ErrFull.Error()+" in cache keys zone \""+c.Zone+"\"")
			return Missing, false, ErrFull
		}
	} else {
		n.detach()
	}
	c.touch(n)
	if l.node == nil {
		n.uses++
		n.count++
		l.node = n
	}
	switch {
	case !fresh && n.status != 0 && n.valid >= c.now().Unix():
		l.Status = n.status
		return Remembered, false, nil
	case !fresh && n.status == 0 && (n.exists || n.uses >= l.MinUses):
		return Missing, n.exists, nil
	case !fresh && n.status == 0:
		return Scarce, c.cold, nil
	}
	n.status, n.valid = 0, 0
	if !fresh && n.exists {
		c.blocks -= n.blocks
		n.exists, n.blocks = false, 0
	}
	if l.MinUses > 1 {
		return Scarce, c.cold, nil
	}
	return Missing, c.cold, nil
}

// read judges the file that was opened; again says that it is another variant's, and that
// the one asked for is to be looked for (ngx_http_file_cache_read).
func (l *Lookup) read() (v Verdict, again bool) {
	info, err := l.file.Stat()
	var r *record
	if err == nil {
		r, err = readRecord(l.file, info.Size(), l.node.start(l.c))
		if err == errSum { // somebody may just have written the date anew
			r, err = readRecord(l.file, info.Size(), defaultBlock)
		}
	}
	name := l.file.Name()
	switch {
	case err == errVersion:
		l.Log(errlog.Info, fmt.Sprintf("cache file \"%s\" %v", name, err))
	case err != nil:
		l.Log(errlog.Crit, fmt.Sprintf("cache file \"%s\" %s", name, conf.Errno(err)))
	case r.key != l.Text:
		l.Log(errlog.Crit, fmt.Sprintf("cache file \"%s\" has md5 collision", name))
		err = errSum
	}
	if err != nil {
		l.CloseFile()
		return Missing, false
	}
	if r.Vary != "" {
		if l.variant = l.variantOf(r.Vary); l.variant != r.variant {
			return l.reopen()
		}
	}
	l.Meta = r.Meta
	l.seen(info.Size())
	now := l.c.now().Unix()
	if l.Valid >= now {
		return Fresh, false
	}
	l.StaleUpdating = l.Valid+l.Updating >= now
	l.StaleError = l.Valid+l.Error >= now
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if n := l.node; n.updating && n.turn != l.turn {
		return Updating, false
	}
	l.turn = l.node.begin()
	return Stale, false
}

// start is how long what precedes the body was when a response was kept last.
func (n *node) start(c *Cache) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.bodyStart
}

// seen counts a file that the loader has not come to.
func (l *Lookup) seen(size int64) {
	c, n := l.c, l.node
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.exists {
		return
	}
	n.exists, n.uses, n.bodyStart, n.blocks = true, 1, int(l.BodyStart), c.blocksOf(size)
	c.blocks += n.blocks
}

// reopen goes on with the key of the variant (ngx_http_file_cache_reopen).
func (l *Lookup) reopen() (Verdict, bool) {
	if l.secondary {
		l.Log(errlog.Crit, fmt.Sprintf("cache file \"%s\" has incorrect vary hash", l.file.Name()))
		l.CloseFile()
		return Missing, false
	}
	l.letGo()
	l.secondary, l.key = true, l.variant
	return Missing, true
}

// letGo gives the node back, for another one.
func (l *Lookup) letGo() {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	n := l.node
	n.count--
	n.end(l.turn)
	l.node, l.turn = nil, 0
}

// variantOf is the key of the response for this request, where responses hang on the headers
// that vary names (ngx_http_file_cache_vary).
func (l *Lookup) variantOf(vary string) Key {
	sum := md5.New()
	sum.Write(l.main[:])
	for name := range strings.FieldsFuncSeq(strings.ToLower(vary), func(c rune) bool { return c == ' ' || c == ',' }) {
		sum.Write([]byte(name))
		sum.Write([]byte(":"))
		sum.Write([]byte(l.Header(name)))
		sum.Write([]byte("\r\n"))
	}
	return Key(sum.Sum(nil))
}

// lock makes the request the one that asks, or lets it wait (ngx_http_file_cache_lock).
func (l *Lookup) lock() Verdict {
	if !l.Lock {
		return Missing
	}
	c, n := l.c, l.node
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !n.updating || !now.Before(n.lockUntil) {
		l.turn, n.lockUntil = n.begin(), now.Add(l.LockAge)
		return Missing
	}
	if l.LockTimeout == 0 || l.timedOut {
		return Scarce
	}
	return Busy
}

// Wait waits until the request that asks has its answer, until it has taken too long, or
// until done is closed, which it reports as false.
func (l *Lookup) Wait(done <-chan struct{}) bool {
	c, n := l.c, l.node
	if l.waitUntil.IsZero() {
		l.waitUntil = c.now().Add(l.LockTimeout)
	}
	c.mu.Lock()
	if !n.updating {
		c.mu.Unlock()
		return true
	}
	freed, until := n.wait(), n.lockUntil
	c.mu.Unlock()
	if l.waitUntil.Before(until) {
		until = l.waitUntil
	}
	timer := time.NewTimer(until.Sub(c.now()))
	defer timer.Stop()
	select {
	case <-freed:
		return true
	case <-done:
		return false
	case <-timer.C:
	}
	if !c.now().Before(l.waitUntil) {
		l.timedOut = true
		l.Log(errlog.Info, "cache lock timeout")
	}
	return true
}

// Body is the file of what was found, of which the body begins at BodyStart.
func (l *Lookup) Body() File { return l.file }

// CloseFile closes what was found.
func (l *Lookup) CloseFile() {
	if l.file != nil {
		_ = l.file.Close() // it was read
		l.file = nil
	}
}

// Refresh says that the response is still good: valid and the like hold from now on
// (ngx_http_file_cache_update_header). What cannot be written is logged; the response is asked
// for anew then.
func (l *Lookup) Refresh(m Meta) {
	name := l.c.file(l.key)
	f, err := l.c.fs.Open(name, true)
	if err != nil {
		if !gone(err) {
			l.Log(errlog.Crit, fmt.Sprintf("open() \"%s\" failed (%s)", name, conf.Errno(err)))
		}
		return
	}
	defer func() { _ = f.Close() }() // what counts is what WriteAt says
	info, err := f.Stat()
	if err != nil {
		return
	}
	r, err := readRecord(f, info.Size(), defaultBlock)
	if err != nil || r.key != l.Text || r.Date != l.Date { // another response has come meanwhile
		return
	}
	rest := r.encodedSum()
	r.Valid, r.Updating, r.Error, r.Date = m.Valid, m.Updating, m.Error, m.Date
	b := make([]byte, fixedSize)
	r.encodeFixed(b, rest)
	if _, err := f.WriteAt(b, 0); err != nil {
		l.Log(errlog.Crit, fmt.Sprintf("pwrite() \"%s\" failed (%s)", name, conf.Errno(err)))
	}
}

// encodedSum is the sum of what does not change.
func (r *record) encodedSum() uint32 {
	c := *r
	return crc32.ChecksumIEEE(c.encode()[fixedSize:])
}

// Remember keeps a status instead of a response until valid, seconds of Unix.
func (l *Lookup) Remember(status int, valid int64) { l.Status, l.Valid = status, valid }

// Free ends the use of the cache; nothing was kept, unless a Writer's Commit has said so
// (ngx_http_file_cache_free).
func (l *Lookup) Free() {
	l.CloseFile()
	if l.freed || l.node == nil {
		return
	}
	l.freed = true
	c, n := l.c, l.node
	c.mu.Lock()
	defer c.mu.Unlock()
	n.count--
	n.end(l.turn)
	l.turn = 0
	switch {
	case l.Status != 0 && l.Valid != 0:
		n.status, n.valid = l.Status, l.Valid
	case !n.exists && n.count == 0 && l.MinUses == 1 && n.status == 0 && !n.deleting:
		c.forget(n)
	}
}

// Freed tells whether the use has ended.
func (l *Lookup) Freed() bool { return l.freed }
