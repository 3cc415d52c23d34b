package phases

import (
	"encoding/binary"
	"syscall"
)

// closeWait tells whether the client has shut its side of a TCP connection down,
// be there unread bytes or not. The state is the first byte of struct tcp_info.
func closeWait(fd uintptr) bool {
	const stateCloseWait = 8 // TCP_CLOSE_WAIT of the kernel
	v, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	var info [4]byte
	binary.NativeEndian.PutUint32(info[:], uint32(v))
	return err == nil && info[0] == stateCloseWait
}

// dup makes the file descriptor to another one for the file of from.
func dup(from, to int) error { return syscall.Dup3(from, to, 0) }
