package dav

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// copyOrMove serves COPY and MOVE (ngx_http_dav_copy_move_handler).
func copyOrMove(r *core.Request, c *config) int {
	if rc := withoutBody(r, "COPY and MOVE with body are"); rc != core.OK {
		return rc
	}
	target, rc := destination(r)
	if rc != core.OK {
		return rc
	}
	switch depth := depthOf(r, infinity); {
	case depth == infinity, depth == 0 && r.Method == "COPY":
	case r.Method == "COPY":
		r.Log(errlog.Err, "\"Depth\" header must be 0 or infinity")
		return 400
	default:
		r.Log(errlog.Err, "\"Depth\" header must be infinity")
		return 400
	}
	overwrite, ok := overwrites(r)
	if !ok {
		return 400
	}
	from, ok := r.MapPath()
	if !ok {
		return 500
	}
	uri := r.URI
	r.URI = target
	to, ok := r.MapPath()
	r.URI = uri
	if !ok {
		return 500
	}
	t := transfer{r: r, c: c, from: from, to: to, overwrite: overwrite}
	rc = 500
	r.Wait(func() { rc = t.run() })
	return rc
}

// destination is the URI that Destination names, decoded.
func destination(r *core.Request) (uri string, rc int) {
	value, ok := r.In.Get("Destination")
	if !ok {
		r.Log(errlog.Err, "client sent no \"Destination\" header")
		return "", 400
	}
	refuse := func() (string, int) {
		r.Logf(errlog.Err, "client sent invalid \"Destination\" header: \"%s\"", value)
		return "", 400
	}
	path := value
	if !strings.HasPrefix(value, "/") {
		scheme := "http://"
		if r.Main.Conn.TLS() {
			scheme = "https://"
		}
		rest, mine := strings.CutPrefix(value, scheme)
		if !mine || r.Main.Host == "" {
			return refuse()
		}
		rest, here := strings.CutPrefix(rest, r.Main.Host)
		if !here {
			r.Logf(errlog.Err, "\"Destination\" URI \"%s\" is handled by different repository than the source URI", value)
			return "", 400
		}
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return refuse()
		}
		path = rest[slash:]
	}
	uri, _, ok = r.OpenTarget(path)
	if !ok {
		return refuse()
	}
	if isFolder(r.URI) != isFolder(path) {
		r.Logf(errlog.Err, "both URI \"%s\" and \"Destination\" URI \"%s\" should be either collections or non-collections", r.URI, value)
		return "", 409
	}
	return uri, core.OK
}

// overwrites is what Overwrite says; ok is false for what it may not.
func overwrites(r *core.Request) (yes, ok bool) {
	value, there := r.In.Get("Overwrite")
	switch {
	case !there, value == "T", value == "t":
		return true, true
	case value == "F", value == "f":
		return false, true
	}
	r.Logf(errlog.Err, "client sent invalid \"Overwrite\" header: \"%s\"", value)
	return false, false
}

// transfer is one COPY or MOVE.
type transfer struct {
	r         *core.Request
	c         *config
	from, to  string
	overwrite bool
}

func (t *transfer) run() int {
	there, err := os.Lstat(t.to)
	switch {
	case err != nil && !errors.Is(err, syscall.ENOENT):
		return failed(t.r, err, 404, "lstat()", t.to)
	case err == nil && !t.overwrite:
		t.r.Logf(errlog.Err, "\"%s\" could not be created (%s)", strings.TrimSuffix(t.to, "/"), conf.Errno(syscall.EEXIST))
		return 412
	}
	exists := err == nil
	info, err := os.Lstat(t.from)
	if err != nil {
		return failed(t.r, err, 404, "lstat()", t.from)
	}
	if !info.IsDir() {
		return t.file(info)
	}
	if !isFolder(t.r.URI) {
		t.r.Logf(errlog.Err, "\"%s\" is collection", t.r.URI)
		return 400
	}
	if exists {
		if rc := deletePath(t.r, strings.TrimSuffix(t.to, "/"), there.IsDir()); rc != core.OK {
			return rc
		}
	}
	return t.folder(info)
}

// file copies or moves a file.
func (t *transfer) file(info fs.FileInfo) int {
	var err error
	call := "open()"
	if t.r.Method == "MOVE" {
		call = "rename()"
		if err = os.Rename(t.from, t.to); errors.Is(err, syscall.ENOENT) {
			if err = os.MkdirAll(filepath.Dir(t.to), folderAccess(t.c.access.V)); err == nil {
				err = os.Rename(t.from, t.to)
			}
		}
		if errors.Is(err, syscall.EXDEV) {
			if err = copyFile(t.from, t.to, info); err == nil {
				err = os.Remove(t.from)
			}
		}
	} else {
		err = copyFile(t.from, t.to, info)
	}
	if err == nil {
		return 204
	}
	if call == "rename()" {
		t.r.Logf(errlog.Crit, "rename() \"%s\" to \"%s\" failed (%s)", t.from, t.to, conf.Errno(err))
	} else {
		t.r.Logf(errlog.Crit, "%s \"%s\" failed (%s)", core.OpenCall(err), t.to, conf.Errno(err))
	}
	return 500
}

// folder copies or moves a folder with all that is in it.
func (t *transfer) folder(info fs.FileInfo) int {
	from, to := strings.TrimSuffix(t.from, "/"), strings.TrimSuffix(t.to, "/")
	if t.r.Method == "MOVE" && os.Rename(from, to) == nil {
		return 201
	}
	if err := syscall.Mkdir(to, uint32(info.Mode().Perm())); err != nil {
		return failed(t.r, err, 404, "mkdir()", to)
	}
	if !t.tree(from, to) {
		return 500
	}
	if t.r.Method == "MOVE" {
		if rc := deletePath(t.r, from, true); rc != core.OK {
			return rc
		}
	}
	return 201
}

// tree copies what is in a folder, and then gives the copy its time. What fails is logged,
// and the rest goes on.
func (t *transfer) tree(from, to string) bool {
	entries, err := os.ReadDir(from)
	if err != nil {
		t.r.Logf(errlog.Crit, "opendir() \"%s\" failed (%s)", from, conf.Errno(err))
		return false
	}
	for _, e := range entries {
		src, dst := from+"/"+e.Name(), to+"/"+e.Name()
		info, err := os.Lstat(src)
		switch {
		case err != nil:
		case info.IsDir():
			if err = syscall.Mkdir(dst, uint32(info.Mode().Perm())); err == nil || errors.Is(err, syscall.EEXIST) {
				err = nil
				t.tree(src, dst)
			}
		case info.Mode().IsRegular():
			err = copyFile(src, dst, info)
		}
		if err != nil {
			t.r.Logf(errlog.Crit, "%s \"%s\" failed (%s)", core.OpenCall(err), dst, conf.Errno(err))
		}
	}
	if info, err := os.Stat(from); err == nil {
		_ = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	return true
}

// copyFile copies a file with its rights and its time (ngx_copy_file).
func copyFile(from, to string, info fs.FileInfo) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if closed := dst.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	return err
}

// deletePath deletes a file, or a folder with all that is in it
// (ngx_http_dav_delete_path).
func deletePath(r *core.Request, path string, folder bool) int {
	if !folder {
		if err := os.Remove(path); err != nil {
			return failed(r, err, 404, "unlink()", path)
		}
		return core.OK
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		r.Logf(errlog.Crit, "opendir() \"%s\" failed (%s)", path, conf.Errno(err))
		return 500
	}
	for _, e := range entries {
		_ = deletePath(r, path+"/"+e.Name(), e.IsDir()) // what stays keeps the folder, which is told
	}
	if err := os.Remove(path); err != nil {
		return failed(r, err, 404, "rmdir()", path)
	}
	return core.OK
}
