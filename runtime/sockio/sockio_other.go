// The race detector wants to see what is read and written, and takes that for a
// synchronisation of both ends, so it gets ordinary calls.

//go:build !linux || race

package sockio

import "syscall"

// Read reads from a socket in non-blocking mode: EAGAIN when there is nothing. p is not
// empty.
func Read(fd uintptr, p []byte) (int, syscall.Errno) {
	return call(syscall.Read, fd, p)
}

// Write writes a part of p, which is not empty, to a socket in non-blocking mode: EAGAIN
// when the peer takes nothing.
func Write(fd uintptr, p []byte) (int, syscall.Errno) {
	return call(syscall.Write, fd, p[:min(len(p), maxTry)])
}

// Peek tells how many bytes, 0 or 1, a read would find, and takes nothing: EAGAIN when
// it would wait, 0 without an error at the peer's end.
func Peek(fd uintptr) (int, syscall.Errno) {
	var b [1]byte
	return call(func(fd int, p []byte) (int, error) {
		n, _, err := syscall.Recvfrom(fd, p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return n, err
	}, fd, b[:])
}

func call(f func(int, []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := f(int(fd), p)
		errno, _ := err.(syscall.Errno)
		if errno != syscall.EINTR {
			return max(n, 0), errno
		}
	}
}
