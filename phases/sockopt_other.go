//go:build !linux

package phases

import "syscall"

// closeWait tells whether the client has shut its side of a TCP connection down
// behind unread bytes. Only Linux says so.
func closeWait(uintptr) bool { return false }

// dup makes the file descriptor to another one for the file of from.
func dup(from, to int) error { return syscall.Dup2(from, to) }
