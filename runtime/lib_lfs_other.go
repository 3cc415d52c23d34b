//go:build !linux

package runtime

import (
	"io/fs"
	"syscall"
)

const errNotDir = syscall.ENOTDIR

// statOf returns the rest of a file's attributes, as far as it is portable.
func statOf(fi fs.FileInfo) fileStat {
	return fileStat{nlink: 1, access: fi.ModTime(), change: fi.ModTime()}
}
