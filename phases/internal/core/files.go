package core

import (
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/openat"
)

// aliasWhole is the value of Location.alias where the alias stands for the whole
// URI: in a location with a regex.
const aliasWhole = -1

// AliasUsable reports whether the alias of the location, if it is one, can be told
// from the URI: not when a rewrite has changed it on the way.
func (r *Request) AliasUsable() bool {
	if r.Loc.Alias == 0 || r.ValidLocation {
		return true
	}
	r.Logf(errlog.Alert, "\"alias\" cannot be used in location \"%s\" where URI was rewritten", r.Loc.Name)
	return false
}

// MapPath is the file that the URI names by root or alias; ok is false where an
// alias cannot be used (ngx_http_map_uri_to_path).
func (r *Request) MapPath() (path string, ok bool) {
	if !r.AliasUsable() {
		return "", false
	}
	root := r.DocRoot()
	switch n := r.Loc.Alias; {
	case n > 0:
		return root + r.URI[min(n, len(r.URI)):], true
	case n == aliasWhole && !r.URIBehindAlias:
		return root, true
	}
	return root + r.URI, true
}

// DocRoot is the value of root or alias, from the prefix.
func (r *Request) DocRoot() string {
	return FullPath(r.Cycle.Prefix, r.Loc.root.V.Eval(r))
}

// OpenFile opens a file of the request for reading, without waiting, be it a
// pipe. Links count as disable_symlinks says (ngx_open_file_wrapper).
func (r *Request) OpenFile(path string) (*os.File, os.FileInfo, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	var file *os.File
	var err error
	if rule := &r.Loc.symlinks.V; rule.mode == openat.Allowed {
		file, err = os.OpenFile(path, flags, 0)
	} else {
		file, err = openat.Open(path, rule.skip(r, path), rule.mode, flags)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Stat looks at a file on the way that OpenFile takes to it.
func (r *Request) Stat(path string) (os.FileInfo, error) {
	if r.Loc.symlinks.V.mode == openat.Allowed {
		return os.Stat(path)
	}
	rule := &r.Loc.symlinks.V
	file, err := openat.Open(path, rule.skip(r, path), rule.mode, openat.Look)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		err = &os.PathError{Op: "openat", Path: path, Err: syscall.ELOOP}
	}
	return info, err
}

// IsNotThere tells a path that leads nowhere from one that cannot be followed.
func IsNotThere(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// OpenFailed gives the status for a file that cannot be opened.
func (r *Request) OpenFailed(path string, err error) int {
	level, status := errlog.Crit, 500
	switch {
	case IsNotThere(err):
		level, status = errlog.Err, 404
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ELOOP):
		level, status = errlog.Err, 403
	}
	if status != 404 || r.Loc.LogNotFound.V {
		r.Logf(level, "%s \"%s\" failed (%s)", OpenCall(err), path, conf.Errno(err))
	}
	return status
}

// OpenCall is the system call that failed, for log lines.
func OpenCall(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Op + "()"
	}
	return "open()"
}

// IsReadMethod tells the methods that ask for a file's contents, and POST, which is
// told so (ngx_http_static_handler, ngx_http_index_handler).
func IsReadMethod(method string) bool {
	return method == "GET" || method == "HEAD" || method == "POST"
}

// IsFile reports whether there is anything at path.
func IsFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// IsDir reports whether path is a folder.
func IsDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// SetEntityTag makes the entity tag of a file, where etag is on: its time and its
// size (ngx_http_set_etag).
func (r *Request) SetEntityTag(info os.FileInfo) {
	if r.Loc.etag.V {
		r.Out.Headers.Set("ETag", "\""+strconv.FormatInt(info.ModTime().Unix(), 16)+"-"+strconv.FormatInt(info.Size(), 16)+"\"")
	}
}

// IsTimeout reports whether err is a deadline that passed.
func IsTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
