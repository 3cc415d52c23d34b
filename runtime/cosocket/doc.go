// Package cosocket implements the sockets of ngx_lua scripts: TCP and unix domain
// streams with keepalive pools, and datagram sockets.
//
// It knows net.Conn, light threads and Lua values, and nothing of HTTP. Every
// operation that may wait gives up the worker's baton meanwhile (Thread.Block), so
// other requests of the worker go on; the fields of a Socket are guarded by the
// baton. Only the keepalive pools, which goroutines that watch idle connections
// change too, have a lock.
//
// What the embedding server contributes is a Host: whose sockets these are, their
// default timeouts, the log and the name resolver.
package cosocket

import (
	"errors"
	"net"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// Level is the severity of a log line.
type Level uint8

// The levels sockets log at.
const (
	Debug Level = iota
	Error
	Crit
	Alert
)

// Slots bounds the connections of the process.
type Slots interface {
	// Dial calls dial if there is room for another connection, which then counts
	// until it is closed. Without room the error is a *NoSlotsError.
	Dial(dial func() (net.Conn, error)) (net.Conn, error)
}

// NoSlotsError says that there is no room for a connection.
type NoSlotsError struct{ Reason string }

func (e *NoSlotsError) Error() string { return e.Reason }

// noSlots reports whether err is a NoSlotsError, and logs it. Scripts see what
// ngx_lua gives them: the error of the connect before.
func noSlots(h Host, err error) bool {
	var full *NoSlotsError
	if !errors.As(err, &full) {
		return false
	}
	h.Log(Alert, full.Reason)
	return true
}

const noSlotsText = "operation now in progress"

// Config has the defaults that directives set.
type Config struct {
	ConnectTimeout   time.Duration // lua_socket_connect_timeout
	SendTimeout      time.Duration // lua_socket_send_timeout
	ReadTimeout      time.Duration // lua_socket_read_timeout
	KeepaliveTimeout time.Duration // lua_socket_keepalive_timeout, 0 for none
	PoolSize         int           // lua_socket_pool_size
	BufferSize       int           // lua_socket_buffer_size, bytes
	LogErrors        bool          // lua_socket_log_errors
	NoDelay          bool          // tcp_nodelay

	// What newer ngx_lua does.
	NamesPeers    bool // error lines about a connection say whom it leads to
	ChecksNumbers bool // setkeepalive looks at its arguments before the socket
}

// A Host is one request or timer as far as its sockets are concerned.
type Host interface {
	// Ended reports that the request is over; until then its sockets work for no
	// other.
	Ended() bool
	// Waits reports whether the running code may wait.
	Waits(th *rt.Thread) bool
	// Config returns the settings that apply now.
	Config() *Config
	// Logs reports whether lines of a level are written, Log writes one.
	Logs(Level) bool
	Log(Level, string)
	// Resolve finds an address for a host name, or says why it cannot. It may wait.
	Resolve(th *rt.Thread, name string) (address, failure string)
	// Open is the set of the request's open sockets.
	Open() *Set
	// Pools are the keepalive pools of the worker.
	Pools() *Pools
}

// A Set is the open sockets of a request, which closes them when it ends. The zero
// Set is empty.
type Set struct {
	first closer
	freed int // members that have left, whose place the next one takes
}

// closer is an open socket in a Set.
type closer interface {
	finalize()
	link() *links
}

// links chain the members of a Set.
type links struct {
	set        *Set
	prev, next closer
}

func (s *Set) add(c closer) {
	l := c.link()
	if l.set != nil {
		return
	}
	l.set, l.prev, l.next = s, nil, s.first
	if s.first != nil {
		s.first.link().prev = c
	}
	s.first = c
}

func (l *links) leave() {
	if l.set == nil {
		return
	}
	if l.prev != nil {
		l.prev.link().next = l.next
	} else {
		l.set.first = l.next
	}
	if l.next != nil {
		l.next.link().prev = l.prev
	}
	l.set.freed++
	*l = links{}
}

// CloseAll closes the sockets that are still open.
func (s *Set) CloseAll() {
	for s.first != nil {
		s.first.finalize()
	}
}
