package serve

import (
	"encoding/binary"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/listening"
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

// tcpInfo asks for what the system knows of a TCP connection.
func tcpInfo(fd uintptr) (info core.TCPInfo, ok bool) {
	v, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return info, false
	}
	return core.TCPInfo{RTT: v.Rtt, RTTVar: v.Rttvar, SndCwnd: v.Snd_cwnd, RcvSpace: v.Rcv_space}, true
}

// dup makes the file descriptor to another one for the file of from.
func dup(from, to int) error { return syscall.Dup3(from, to, 0) }

// Options that package syscall does not name.
const (
	soReusePort = 0xf
	tcpFastOpen = 0x17
)

// setSystemOptions sets the options of a socket that are the system's own.
func setSystemOptions(fd int, o *listening.Options) error {
	for _, opt := range [...]struct{ level, option, value int }{
		{syscall.SOL_SOCKET, soReusePort, asInt(o.ReusePort)},
		{syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, asInt(o.Deferred)},
		{syscall.IPPROTO_TCP, tcpFastOpen, o.FastOpen},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, int(o.KeepAlive.Idle / time.Second)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, int(o.KeepAlive.Interval / time.Second)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, o.KeepAlive.Count},
	} {
		if opt.value == 0 {
			continue
		}
		if err := syscall.SetsockoptInt(fd, opt.level, opt.option, opt.value); err != nil {
			return err
		}
	}
	return nil
}

func asInt(on bool) int {
	if on {
		return 1
	}
	return 0
}
