//go:build !race

package sockio

import (
	"syscall"
	"unsafe"
)

// Read reads from a socket in non-blocking mode: EAGAIN when there is nothing. p is not
// empty.
func Read(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if err != syscall.EINTR {
			return count(n, err), err
		}
	}
}

// Write writes a part of p, which is not empty, to a socket in non-blocking mode: EAGAIN
// when the peer takes nothing.
func Write(fd uintptr, p []byte) (int, syscall.Errno) {
	p = p[:min(len(p), maxTry)]
	for {
		n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if err != syscall.EINTR {
			return count(n, err), err
		}
	}
}

// Peek tells how many bytes, 0 or 1, a read would find, and takes nothing: EAGAIN when
// it would wait, 0 without an error at the peer's end.
func Peek(fd uintptr) (int, syscall.Errno) {
	var b [1]byte
	for {
		n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if err != syscall.EINTR {
			return count(n, err), err
		}
	}
}

func count(n uintptr, err syscall.Errno) int {
	if err != 0 {
		return 0
	}
	return int(n)
}
