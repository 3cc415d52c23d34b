package upstream

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/inet"
)

// connect gets a connection to addr: one that was kept, or a new one.
func (x *Exchange) connect(addr string) (nextKind, int) {
	if c := x.pool().Take(addr, x.tlsKind(), x.Conf); c != nil {
		x.cached = true
		x.hold(c)
		return 0, core.OK
	}
	c, err := x.dial(x.watch.context(), addr)
	if err != nil {
		switch {
		case core.IsConnLimit(err):
			x.R.Log(errlog.Alert, err.Error())
			return 0, 500
		case isTransparent(err):
			x.R.Logf(errlog.Alert, "setsockopt(IP_TRANSPARENT) failed (%s)", conf.Errno(err))
			return 0, 500
		case core.IsTimeout(err):
			return nextTimeout, core.OK
		}
		// What the kernel says at once names the address.
		call := "connect()"
		level := errlog.Err
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EHOSTUNREACH) || x.State.Separator != "" {
			call = "connect() to " + addr
			if !isPeerDown(err) {
				level = errlog.Crit
			}
		}
		if !x.watch.gone() {
			x.R.Logf(level, "%s failed (%s)", call, conf.Errno(err))
		}
		return nextError, core.OK
	}
	x.hold(c)
	if x.secure() {
		return x.handshake()
	}
	return 0, core.OK
}

// hold makes c the connection of this attempt, that the client's end cuts.
func (x *Exchange) hold(c *Conn) {
	x.conn = c
	x.watch.hold(c)
}

// isPeerDown reports whether a failed connect() is the peer's fault, not ours.
func isPeerDown(err error) bool {
	for _, no := range []error{syscall.ECONNREFUSED, syscall.EAGAIN, syscall.ECONNRESET, syscall.ENETDOWN,
		syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// dial connects to addr. It ends early when ctx does.
func (x *Exchange) dial(ctx context.Context, addr string) (*Conn, error) {
	network, where := "tcp", addr
	if inet.IsUnix(addr) {
		network, where = "unix", addr[len("unix:"):]
	}
	d := net.Dialer{Timeout: x.State.Connect, KeepAlive: -1}
	if x.Conf.socketKeepalive.V {
		d.KeepAlive = 0
	}
	if network == "tcp" {
		d.LocalAddr = x.local
		if b := &x.Conf.bind.V; b.transparent && x.local != nil {
			d.Control = b.control
		}
		if x.State.Local != nil {
			d.LocalAddr = x.State.Local
		}
	}
	nc, err := x.R.Cycle.Dial(func() (net.Conn, error) { return d.DialContext(ctx, network, where) })
	if err != nil {
		return nil, err
	}
	return NewConn(nc, addr), nil
}
