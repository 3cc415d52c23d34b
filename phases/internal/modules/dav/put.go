package dav

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// put serves PUT (ngx_http_dav_put_handler).
func put(r *core.Request, c *config) int {
	switch {
	case isFolder(r.URI):
		r.Log(errlog.Err, "cannot PUT to a collection")
		return 409
	case r.In.Has("Content-Range"):
		r.Log(errlog.Err, "PUT with range is unsupported")
		return 501
	}
	if rc := r.ReadBody(nil); rc >= 300 {
		return rc
	}
	body := r.RequestBody()
	if body.Data == nil && body.File == "" { // of one without a length nothing was read
		r.Log(errlog.Err, "PUT request body must be in a file")
		return 500
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	status := 201
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			r.Logf(errlog.Err, "\"%s\" could not be created (%s)", path, conf.Errno(syscall.EISDIR))
			return 409
		}
		status = 204
	}
	f := stored{path: path, access: c.access.V, createPath: c.createPath.V}
	if date, ok := r.In.Get("Date"); ok {
		if t, ok := ngxtext.ParseHTTPTime(date); ok {
			f.changed = time.Unix(t, 0)
		}
	}
	var err error
	r.Wait(func() { err = f.store(body) })
	if err != nil {
		r.Logf(errlog.Crit, "%s \"%s\" failed (%s)", core.OpenCall(err), path, conf.Errno(err))
		return 500
	}
	if status == 201 {
		locate(r)
		r.Out.ContentLength = 0
	}
	r.Out.Status = status
	r.HeaderOnly = true
	return r.SendHeader()
}

// stored is a file on its way to its place. It has a name of its own until it is complete,
// so that nobody sees a part of it.
type stored struct {
	path       string
	access     fs.FileMode
	createPath bool
	changed    time.Time // zero: now
}

var numbers atomic.Int64

// store writes the body to its place (ngx_ext_rename_file).
func (f *stored) store(body *core.RequestBody) error {
	file, err := f.create()
	if err != nil {
		return err
	}
	name := file.Name()
	err = f.fill(file, body)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil && !f.changed.IsZero() {
		err = os.Chtimes(name, f.changed, f.changed)
	}
	if err == nil {
		err = os.Rename(name, f.path)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}

// create opens a file beside the place.
func (f *stored) create() (*os.File, error) {
	name := filepath.Dir(f.path) + "/." + filepath.Base(f.path) + "." + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(numbers.Add(1), 36)
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	file, err := os.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) && f.createPath {
		if err = os.MkdirAll(filepath.Dir(f.path), folderAccess(f.access)); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(name, flags, 0o600)
	}
	return file, err
}

// fill writes the body and gives the file its rights.
func (f *stored) fill(file *os.File, body *core.RequestBody) error {
	if body.File == "" {
		if _, err := file.Write(body.Data); err != nil {
			return err
		}
		return file.Chmod(f.access)
	}
	from, err := os.Open(body.File)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	return file.Chmod(f.access)
}
