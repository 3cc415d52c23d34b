package upstream

import "syscall"

// ipv6Transparent is IPV6_TRANSPARENT, which package syscall does not have.
const ipv6Transparent = 75

// setTransparent lets a socket be bound to an address of somebody else, which takes the
// capability CAP_NET_RAW.
func setTransparent(fd int, v6 bool) error {
	if v6 {
		return syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6Transparent, 1)
	}
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TRANSPARENT, 1)
}
