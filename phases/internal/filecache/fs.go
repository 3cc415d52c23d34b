package filecache

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// FS is the file system of a cache: the real one, or a test's that fails.
type FS interface {
	Open(name string, write bool) (File, error)
	Create(name string) (File, error) // fails when it is there
	Rename(from, to string) error
	Remove(name string) error
	MkdirAll(dir string) error
	BlockSize(dir string) (int64, error)
	Free(dir string) (int64, error) // bytes that are left to this process
}

// File is a file of a cache.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Name() string
	Stat() (os.FileInfo, error)
}

// osFS is the real file system.
type osFS struct{}

func (osFS) Open(name string, write bool) (File, error) {
	if write {
		return open(os.OpenFile(name, os.O_RDWR, 0))
	}
	return open(os.Open(name))
}

func (osFS) Create(name string) (File, error) {
	return open(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// open makes a nil interface of a nil file.
func open(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }
func (osFS) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o700) }

func (osFS) BlockSize(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	if st.Bsize%512 != 0 || st.Bsize > 1<<20 {
		return defaultBlock, nil
	}
	return int64(st.Bsize), nil
}

func (osFS) Free(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// gone tells whether a file is not there.
func gone(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR)
}
