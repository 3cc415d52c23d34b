package openat

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	Can  = true        // this system can open files without following links
	Look = unix.O_PATH // flags that look at a file without the right to read it
)

// Open opens a path component by component, the first skip bytes at once
// and as usual. As in nginx a link before the last component is no folder
// (ENOTDIR), the last one must not be a link (ELOOP).
func Open(path string, skip int, mode Links, flags int) (*os.File, error) {
	at, rest := "/", strings.TrimLeft(path, "/")
	if skip > 0 {
		at, rest = path[:skip], strings.TrimLeft(path[skip:], "/")
	}
	fail := func(err error) (*os.File, error) { return nil, &os.PathError{Op: "openat", Path: path, Err: err} }
	fd, err := unix.Open(at, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	for {
		name, more, deeper := strings.Cut(rest, "/")
		more = strings.TrimLeft(more, "/")
		deeper = deeper && more != ""
		how := unix.O_PATH
		if !deeper {
			how = flags
			if name == "" { // the path ended with the skipped part
				name = "."
			}
		}
		next, err := openComponent(fd, name, mode, how|unix.O_CLOEXEC)
		_ = unix.Close(fd)
		if err != nil {
			return fail(err)
		}
		if fd, rest = next, more; !deeper {
			return os.NewFile(uintptr(fd), path), nil
		}
	}
}

func openComponent(at int, name string, mode Links, how int) (int, error) {
	if mode == Forbidden {
		return unix.Openat(at, name, how|unix.O_NOFOLLOW, 0)
	}
	fd, err := unix.Openat(at, name, how, 0)
	if err != nil {
		return -1, err
	}
	var link, target unix.Stat_t
	if err = unix.Fstatat(at, name, &link, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		err = unix.Fstat(fd, &target)
	}
	if err == nil && link.Uid != target.Uid {
		err = unix.ELOOP
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
