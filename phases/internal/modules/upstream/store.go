package upstream

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// storeConf is what a location says about responses that become files.
type storeConf struct {
	written bool
	mapped  bool                    // on: where the URI leads
	path    core.Opt[core.Template] // else
	access  core.Opt[fs.FileMode]   // of the files
}

// on tells whether responses are stored.
func (p *storeConf) on() bool { return p.mapped || p.path.Set }

// merge takes over from the level around. A level with a cache of its own stores nothing, and
// one that stores on its own caches nothing.
func (p *storeConf) merge(outer *storeConf, own *cacheConf) {
	own.written = own.written || p.on()
	if !p.written && !(own.written && own.on()) {
		p.written, p.mapped, p.path = outer.written, outer.mapped, outer.path
	}
	p.access.Merge(outer.access, 0o600)
}

// store are the directives of stored files.
func (s setters) store() []core.Directive {
	return []core.Directive{
		{Name: "store", Args: core.Take1, Set: s.setStore},
		{Name: "store_access", Args: core.Take123, Set: core.SetAccess(func(c *core.Compiler) *core.Opt[fs.FileMode] { return &s.at(c).store.access })},
	}
}

// setStore reads store on | off | PATH.
func (s setters) setStore(c *core.Compiler, d *conf.Directive) error {
	p := &s.at(c).store
	switch {
	case p.written:
		return core.ErrDuplicate
	case d.Args[0] == "off":
		p.written = true
		return nil
	case s.at(c).cache.on():
		return core.DirectiveError("is incompatible with \"" + s.Prefix + "cache\"")
	}
	p.written = true
	if d.Args[0] == "on" {
		p.mapped = true
		return nil
	}
	t, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	return p.path.Put(t)
}

// storeFile is a response on its way to its place. It has a name of its own until it is
// complete.
type storeFile struct {
	x    *Exchange
	file *os.File
	path string
	at   int64
}

var storeNumber atomic.Int64

// beginStoring opens the file of a response that is to be stored, nil for one that is not
// (ngx_http_upstream_store).
func (x *Exchange) beginStoring() sink {
	p := &x.Conf.store
	if !p.on() || x.In.Head.Status != 200 {
		return nil
	}
	r := x.R
	path, ok := "", true
	if p.mapped {
		path, ok = r.MapPath()
	} else {
		path = core.FullPath(r.Cycle.Prefix, p.path.V.Eval(r))
	}
	if !ok || path == "" || strings.HasSuffix(path, "/") {
		return nil
	}
	f := &storeFile{x: x, path: path}
	if err := f.create(); err != nil {
		f.failed(core.OpenCall(err), err)
		return nil
	}
	return f
}

// create opens a file beside the place of the response.
func (f *storeFile) create() (err error) {
	access := f.x.Conf.store.access.V
	name := filepath.Dir(f.path) + "/." + filepath.Base(f.path) + "." + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(storeNumber.Add(1), 36)
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f.file, err = os.OpenFile(name, flags, access)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(f.path), access|access&0o444>>2); err != nil {
			return err
		}
		f.file, err = os.OpenFile(name, flags, access)
	}
	if err == nil {
		err = f.file.Chmod(access)
	}
	return err
}

// failed logs why the response is not stored.
func (f *storeFile) failed(call string, err error) {
	f.x.R.Logf(errlog.Crit, "%s \"%s\" failed (%s), the response is not stored", call, f.path, conf.Errno(err))
}

func (f *storeFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.at += int64(n)
	if err != nil {
		f.failed("write()", err)
	}
	return n, err
}

func (f *storeFile) ReadAt(p []byte, at int64) (int, error) { return f.file.ReadAt(p, at) }
func (f *storeFile) Written() int64                         { return f.at }

// Commit puts the file in its place, with the date of the response.
func (f *storeFile) Commit() error {
	if t := f.x.R.Out.LastModified; t >= 0 {
		if err := os.Chtimes(f.file.Name(), time.Unix(t, 0), time.Unix(t, 0)); err != nil {
			f.failed("utimes()", err)
		}
	}
	err := os.Rename(f.file.Name(), f.path)
	if err != nil {
		f.failed("rename()", err)
		f.Abort()
	}
	return err
}

func (f *storeFile) Abort() { _ = os.Remove(f.file.Name()) }
func (f *storeFile) Close() { f.file.Close() }
