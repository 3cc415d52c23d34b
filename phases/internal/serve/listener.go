package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/listening"
	"github.com/moonphase/moonphase/runtime/guard"
	"github.com/moonphase/moonphase/runtime/sockio"
)

// listener is one open address. It outlives configurations: a reload gives it
// another binding.
type listener struct {
	process *Process
	addr    string // as in Listen.Addr
	socket  net.Listener
	bound   atomic.Pointer[binding]
}

// binding is what a configuration says about an address.
type binding struct {
	cycle  *core.Cycle
	listen *core.Listen
	limits http1.Limits
}

func newBinding(c *core.Cycle, l *core.Listen) *binding {
	s := l.Default
	return &binding{cycle: c, listen: l, limits: http1.Limits{
		HeaderBuffer:  int(s.HeaderBufferSize.V),
		LargeBuffer:   int(s.LargeHeaders.V.Size),
		LargeCount:    s.LargeHeaders.V.Count,
		MaxHeaders:    s.MaxHeaders.V,
		HeaderTimeout: s.HeaderTimeout.V,
		Fields: http1.FieldOptions{
			AllowUnderscores: s.Underscores.V,
			KeepInvalid:      !s.IgnoreInvalid.V,
		},
		KeepSlashes: !s.MergeSlashes.V,
		Connects:    c.Stack.Has(compat.TargetOfConnect),
	}}
}

// log is the error log of the address's connections until their server is known.
func (b *binding) log() errlog.Logger {
	if log := b.listen.Default.Loc.ErrorLog.V; log != nil {
		return log
	}
	return b.cycle.Log
}

// bindTries is how often an address in use is tried, and bindPause how long is
// waited in between: a server that is just going away needs a moment.
const (
	bindTries = 5
	bindPause = 500 * time.Millisecond
)

// openListeners opens the addresses of c that are not open yet. Nothing is
// accepted before serve is called on them. When one cannot be had, those that
// were opened are closed again.
func (p *Process) openListeners(c *core.Cycle) ([]*listener, error) {
	var opened []*listener
	var missing []*core.Listen
	for _, l := range c.Listens {
		if p.listeners[l.Addr] == nil {
			missing = append(missing, l)
		}
	}
	for try := 1; len(missing) > 0; try++ {
		var busy []*core.Listen
		for _, l := range missing {
			socket, err := listen(l)
			if err == nil {
				opened = append(opened, &listener{process: p, addr: l.Addr, socket: socket})
				continue
			}
			inUse := errors.Is(err, syscall.EADDRINUSE)
			if !inUse || !p.test {
				p.log(errlog.Emerg, fmt.Sprintf("bind() to %s failed (%s)", l.Addr, conf.Errno(err)))
			}
			if !inUse {
				closeAll(opened)
				return nil, errLogged
			}
			if !p.test {
				busy = append(busy, l)
			}
		}
		missing = busy
		if len(missing) > 0 {
			if try == bindTries {
				closeAll(opened)
				return nil, &conf.Error{Msg: "still could not bind()"}
			}
			p.log(errlog.Notice, "try again to bind() after 500ms")
			time.Sleep(bindPause)
		}
	}
	return opened, nil
}

func closeAll(list []*listener) {
	for _, l := range list {
		_ = l.socket.Close()
	}
}

// listen opens the address of l.
func listen(l *core.Listen) (net.Listener, error) {
	network, addr := "tcp4", l.Addr
	lc := net.ListenConfig{KeepAlive: -1}
	if path, ok := strings.CutPrefix(l.Addr, "unix:"); ok {
		network, addr = "unix", path
	} else {
		if strings.HasPrefix(addr, "[") {
			network = "tcp6"
		}
		if l.Socket.DualStack {
			network = "tcp"
		}
		lc.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) { failed = setSocketOptions(int(fd), &l.Socket) })
			return cmp.Or(err, failed)
		}
	}
	socket, err := lc.Listen(context.Background(), network, addr)
	if err != nil || l.Socket.Backlog == 0 {
		return socket, err
	}
	if sc, ok := socket.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), l.Socket.Backlog) })
		}
	}
	return socket, nil
}

// setSocketOptions sets the options of a socket that is not bound yet. Connections inherit
// from it what is theirs.
func setSocketOptions(fd int, o *listening.Options) error {
	set := func(level, option, value int) error { return syscall.SetsockoptInt(fd, level, option, value) }
	if o.Rcvbuf > 0 {
		if err := set(syscall.SOL_SOCKET, syscall.SO_RCVBUF, o.Rcvbuf); err != nil {
			return err
		}
	}
	if o.Sndbuf > 0 {
		if err := set(syscall.SOL_SOCKET, syscall.SO_SNDBUF, o.Sndbuf); err != nil {
			return err
		}
	}
	if o.KeepAlive.Set {
		value := 0
		if o.KeepAlive.On {
			value = 1
		}
		if err := set(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, value); err != nil {
			return err
		}
	}
	return setSystemOptions(fd, o)
}

// acceptPause is how long a listener rests when the process has no file
// descriptor left (accept_mutex_delay).
const acceptPause = 500 * time.Millisecond

// serve accepts connections until the socket is closed.
func (l *listener) serve() {
	for {
		nc, err := l.socket.Accept()
		switch {
		case err == nil:
			l.process.accepted.Add(1)
			if err := l.process.slots.take(l.process.log); err != nil {
				l.process.log(errlog.Alert, err.Error())
				_ = nc.Close()
				continue
			}
			l.process.handled.Add(1)
			guard.Go(l.accepted(sockio.Wrap(nc)).handle)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.ECONNABORTED):
			l.process.log(errlog.Err, "accept4() failed ("+conf.Errno(err)+")")
		default:
			l.process.log(errlog.Crit, "accept4() failed ("+conf.Errno(err)+")")
			time.Sleep(acceptPause)
		}
	}
}
