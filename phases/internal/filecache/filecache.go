// Package filecache keeps responses in files, and what it must know of them in a zone of
// bounded memory (ngx_http_file_cache.c). It knows nothing of requests: who asks names a
// response by the text of a key, gets a Lookup, and serves, asks anew or waits as that says.
//
// A response is one file, named by the MD5 sum of its key below folders as levels says. It
// is written under another name and renamed when it is complete, so that whatever ends the
// process leaves the old response or the new one. What is read is judged before a byte of it
// is served: sums over its head and its key, and its length.
package filecache

import (
	"crypto/md5"
	"encoding/hex"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/slab"
)

// Key names a response: the MD5 sum of the text of its key.
type Key [md5.Size]byte

// Config is what proxy_cache_path and its kin say.
type Config struct {
	Zone     string // of the keys
	Path     string // without a slash at its end
	Levels   []int  // lengths of the names of folders, at most three
	Inactive time.Duration
	MaxSize  int64 // bytes; math.MaxInt64 without
	MinFree  int64 // bytes that the file system is to have left
	TempPath bool  // use_temp_path: files are written in the folder for such, where there is one
	Loader   Pace
	Manager  Pace
}

// Pace is how long the loader and the manager work before they rest.
type Pace struct {
	Files     int
	Sleep     time.Duration
	Threshold time.Duration
}

// Default is a configuration without parameters.
func Default(path string) Config {
	pace := Pace{Files: 100, Sleep: 50 * time.Millisecond, Threshold: 200 * time.Millisecond}
	return Config{Path: path, Inactive: 10 * time.Minute, MaxSize: math.MaxInt64, TempPath: true, Loader: pace, Manager: pace}
}

// Cache is one cache as a configuration has it. Reloads make new ones upon the same store.
type Cache struct {
	Config
	*store
	fs  FS
	now func() time.Time
	log func(level errlog.Level, msg string)
}

// store is what a reload keeps.
type store struct {
	mu        sync.Mutex
	nodes     map[Key]*node
	used      node // ring: next is the one used last, prev the one not used for longest
	memory    *slab.Memory
	blocks    int64 // of the file system, that the files take
	watermark int   // how many responses fit: below the number with which memory ran out
	cold      bool  // the loader has not seen all files yet
	loading   bool
	blockSize int64
	wake      chan struct{} // something for the manager to do
}

// node is what is known of a response without its file (ngx_http_file_cache_node_t).
type node struct {
	key        Key
	prev, next *node
	uses       int   // times it was asked for
	count      int   // lookups that hold it
	expire     int64 // when it has not been asked for too long, seconds of Unix
	status     int   // an error to be answered without a file, until valid
	valid      int64
	exists     bool // there is a file
	updating   bool // a request asks for it anew
	deleting   bool
	turn       uint64    // number of that update
	lockUntil  time.Time // others wait until then for the one that asks
	freed      chan struct{}
	bodyStart  int
	blocks     int64
}

// nodeSize is what a node takes of the zone's memory in nginx, in bytes.
const nodeSize = 120

// New makes a cache; size is that of its zone in bytes, log takes what no request is to
// blame for.
func New(conf Config, size int64, log func(level errlog.Level, msg string)) *Cache {
	s := &store{
		nodes: map[Key]*node{}, memory: slab.New(size), cold: true, blockSize: defaultBlock,
		watermark: math.MaxInt, wake: make(chan struct{}, 1),
	}
	s.used.prev, s.used.next = &s.used, &s.used
	c := &Cache{Config: conf, store: s, fs: osFS{}, now: time.Now, log: log}
	if n, err := c.fs.BlockSize(conf.Path); err == nil && n > 0 {
		s.blockSize = n
	}
	return c
}

// Keep makes a cache upon the store of the one before.
func (c *Cache) Keep(conf Config, log func(level errlog.Level, msg string)) *Cache {
	return &Cache{Config: conf, store: c.store, fs: c.fs, now: c.now, log: log}
}

// defaultBlock is the size of a block of a file system that does not tell, in bytes.
const defaultBlock = 4096

// KeyOf is the key of a text.
func KeyOf(text string) Key { return md5.Sum([]byte(text)) }

// file is where a response is kept.
func (c *Cache) file(k Key) string {
	name := hex.EncodeToString(k[:])
	path, end := c.Path, len(name)
	for _, n := range c.Levels {
		path += "/" + name[end-n:end]
		end -= n
	}
	return path + "/" + name
}

// dir is the folder of a file.
func dir(file string) string { return filepath.Dir(file) }

// blocksOf is how many blocks a file of so many bytes takes.
func (s *store) blocksOf(size int64) int64 { return (size + s.blockSize - 1) / s.blockSize }

// detach takes a node out of the ring.
func (n *node) detach() { n.prev.next, n.next.prev = n.next, n.prev }

// touch makes a node the one used last. The caller holds the lock.
func (c *Cache) touch(n *node) {
	n.expire = c.now().Unix() + int64(c.Inactive/time.Second)
	n.prev, n.next = &c.used, c.used.next
	n.prev.next, n.next.prev = n, n
}

// find finds or makes a node and takes it out of the ring; nil when the zone is full and all
// of it in use. The caller holds the lock, which is put down where room has to be made.
func (c *Cache) find(k Key) (n *node, fresh bool) {
	for range maxBusy {
		if n := c.nodes[k]; n != nil {
			n.detach()
			return n, false
		}
		if c.memory.Alloc(nodeSize) {
			n := &node{key: k}
			c.nodes[k] = n
			return n, true
		}
		c.watermark = len(c.nodes) - len(c.nodes)/8
		c.poke()
		if !c.evict() {
			break
		}
	}
	return nil, false
}

// forget takes a node out of the zone. The caller holds the lock.
func (s *store) forget(n *node) {
	n.detach()
	delete(s.nodes, n.key)
	s.memory.Free(nodeSize)
}

// begin begins an update; its number is for end.
func (n *node) begin() (turn uint64) {
	n.updating = true
	n.turn++
	return n.turn
}

// end ends an update, unless another one has begun since.
func (n *node) end(turn uint64) {
	if turn != 0 && turn == n.turn {
		n.release()
	}
}

// release ends an update, and tells those who wait for that.
func (n *node) release() {
	n.updating = false
	if n.freed != nil {
		close(n.freed)
		n.freed = nil
	}
}

// wait is closed when the update that goes on ends.
func (n *node) wait() <-chan struct{} {
	if n.freed == nil {
		n.freed = make(chan struct{})
	}
	return n.freed
}

// Usage is how many responses the zone knows, and how many bytes their files take.
func (s *store) Usage() (responses int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.nodes), s.blocks * s.blockSize
}

// Cold tells whether files may be there that the loader has not seen.
func (s *store) Cold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cold
}
