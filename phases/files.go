package phases

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// aliasWhole is the value of Location.alias where the alias stands for the whole
// URI: in a location with a regex.
const aliasWhole = -1

// aliasUsable reports whether the alias of the location, if it is one, can be told
// from the URI: not when a rewrite has changed it on the way.
func (r *Request) aliasUsable() bool {
	if r.Loc.alias == 0 || r.ValidLocation {
		return true
	}
	r.Logf(errlog.Alert, "\"alias\" cannot be used in location \"%s\" where URI was rewritten", r.Loc.name)
	return false
}

// mapPath is the file that the URI names by root or alias; ok is false where an
// alias cannot be used (ngx_http_map_uri_to_path).
func (r *Request) mapPath() (path string, ok bool) {
	if !r.aliasUsable() {
		return "", false
	}
	root := r.docRoot()
	switch n := r.Loc.alias; {
	case n > 0:
		return root + r.URI[min(n, len(r.URI)):], true
	case n == aliasWhole && !r.uriBehindAlias:
		return root, true
	}
	return root + r.URI, true
}

// docRoot is the value of root or alias, from the prefix.
func (r *Request) docRoot() string {
	return fullPath(r.Cycle.Prefix, r.Loc.root.v.eval(r))
}

// openFile opens a file of the request for reading, without waiting, be it a
// pipe. Links count as disable_symlinks says (ngx_open_file_wrapper).
func (r *Request) openFile(path string) (*os.File, os.FileInfo, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	var file *os.File
	var err error
	if rule := &r.Loc.symlinks.v; rule.mode == symlinksAllowed {
		file, err = os.OpenFile(path, flags, 0)
	} else {
		file, err = openGuarded(path, rule.skip(r, path), rule.mode, flags)
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

// stat looks at a file on the way that openFile takes to it.
func (r *Request) stat(path string) (os.FileInfo, error) {
	if r.Loc.symlinks.v.mode == symlinksAllowed {
		return os.Stat(path)
	}
	rule := &r.Loc.symlinks.v
	file, err := openGuarded(path, rule.skip(r, path), rule.mode, lookFlags)
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

// isNotThere tells a path that leads nowhere from one that cannot be followed.
func isNotThere(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// openFailed gives the status for a file that cannot be opened.
func (r *Request) openFailed(path string, err error) int {
	level, status := errlog.Crit, 500
	switch {
	case isNotThere(err):
		level, status = errlog.Err, 404
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ELOOP):
		level, status = errlog.Err, 403
	}
	if status != 404 || r.Loc.logNotFound.v {
		r.Logf(level, "%s \"%s\" failed (%s)", openCall(err), path, conf.Errno(err))
	}
	return status
}

// openCall is the system call that failed, for log lines.
func openCall(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Op + "()"
	}
	return "open()"
}

// isReadMethod tells the methods that ask for a file's contents, and POST, which is
// told so (ngx_http_static_handler, ngx_http_index_handler).
func isReadMethod(method string) bool {
	return method == "GET" || method == "HEAD" || method == "POST"
}

// isFile reports whether there is anything at path.
func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isDir reports whether path is a folder.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// setEntityTag makes the entity tag of a file, where etag is on: its time and its
// size (ngx_http_set_etag).
func (r *Request) setEntityTag(info os.FileInfo) {
	if r.Loc.etag.v {
		r.Out.Headers.Set("ETag", "\""+strconv.FormatInt(info.ModTime().Unix(), 16)+"-"+strconv.FormatInt(info.Size(), 16)+"\"")
	}
}
