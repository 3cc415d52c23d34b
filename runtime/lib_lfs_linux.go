package runtime

import (
	"io/fs"
	"syscall"
	"time"
)

const errNotDir = syscall.ENOTDIR

// statOf returns the rest of a file's attributes.
func statOf(fi fs.FileInfo) fileStat {
	s, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fileStat{access: fi.ModTime(), change: fi.ModTime()}
	}
	return fileStat{
		dev: uint64(s.Dev), ino: s.Ino, nlink: uint64(s.Nlink), uid: uint64(s.Uid), gid: uint64(s.Gid), rdev: uint64(s.Rdev),
		access: time.Unix(s.Atim.Unix()), change: time.Unix(s.Ctim.Unix()),
		blocks: s.Blocks, blockSize: int64(s.Blksize),
	}
}
