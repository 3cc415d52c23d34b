package core

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// HeadWriter is a Downstream that frames responses in its own way: HTTP/2, or
// another server. It is given the response's head to send; the body that follows
// has no transfer coding.
type HeadWriter interface {
	WriteHead(r *Request)
	// WriteTrailers is given the fields that follow the body.
	WriteTrailers(fields []Header)
	// EndBody says that the body is complete.
	EndBody()
}

// ByteCounter is a Downstream that counts what its framing makes of a response.
type ByteCounter interface {
	BodyBytes() int64 // of $body_bytes_sent
	WireBytes() int64 // of $bytes_sent
}

// ClaimedConn is a Downstream that knows what a proxy in front of the server said.
type ClaimedConn interface {
	Claim() *ClientClaim
}

// ClientClaim is what a proxy in front said of the connection (listen ...
// proxy_protocol). Its fields are empty when it said nothing.
type ClientClaim struct {
	Addr, Port             string
	ServerAddr, ServerPort string
	TLVs                   []byte // extensions, as they came
}

// ErrSendTime is a Downstream's error for a client that was too slow, which it has
// logged.
var ErrSendTime = errors.New("client timed out")

// ConnNumbers gives connections their serial numbers (ngx_connection_counter).
var ConnNumbers atomic.Int64

// Downstream is the client's side of a main request as the engine sees it.
// The connection loop implements it over a net.Conn; tests and NewHandler
// bring their own.
//
// Write never blocks: it appends to the connection's output buffer. Push
// starts sending what is buffered without waiting for the client, Flush waits
// until all of it is out. A Lua handler calls Push with its baton held and
// Flush only with the baton released.
type Downstream interface {
	Write(p []byte) (int, error)
	Push() error
	Flush() error

	// Buffered is the number of bytes written but not yet sent.
	Buffered() int
	// Blocked reports that the client has not taken all that was pushed.
	Blocked() bool
	// Sent is the number of bytes handed to the socket for this request.
	Sent() int64

	// SetRate limits the response to bytes a second from start on, behind the first
	// bytes up to after; 0 is no limit.
	SetRate(perSecond, after int64, start time.Time)

	// ReadBody gives the next bytes of the request's body, transfer coding
	// removed, and io.EOF at its end. A client that went away early is any
	// other error; a malformed chunk is ErrBadChunk.
	ReadBody(p []byte) (int, error)

	// SkipBody throws away what has come of the body, without waiting for the
	// rest; the error is ErrBadChunk.
	SkipBody() error
	// Interim sends p at once, ahead of what is buffered.
	Interim(p []byte) error

	// InterruptRead makes a ReadBody that another goroutine waits in return soon.
	InterruptRead()

	// Aborted is closed when the client is seen to have gone away. It is only
	// watched from the first call on (lua_check_client_abort).
	Aborted() <-chan struct{}

	// Number is the connection's serial number ($connection), Requests the
	// count of requests on it with this one ($connection_requests).
	Number() int64
	Requests() int64
	// Opened is when the connection came.
	Opened() time.Time
	RemoteAddr() net.Addr
	LocalAddr() net.Addr
	// NetConn is the raw connection, for ngx.req.socket(true): reading it begins with
	// the bytes that were read ahead. What is buffered is lost, and the connection is
	// not kept alive.
	NetConn() net.Conn
	// TLS reports whether the connection is encrypted.
	TLS() bool
}

// TCPInfo is what the system knows of a client's connection (struct tcp_info).
type TCPInfo struct {
	RTT, RTTVar uint32 // microseconds
	SndCwnd     uint32 // segments
	RcvSpace    uint32 // bytes
}

// tcpInfo makes the getter of one of the $tcpinfo_ variables.
func tcpInfo(field func(*TCPInfo) uint32) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if c, ok := r.Downstream().(interface{ TCPInfo() (TCPInfo, bool) }); ok {
			if info, ok := c.TCPInfo(); ok {
				return ngxtext.Itoa(int64(field(&info))), true
			}
		}
		return "", false
	}
}

// Downstream is the client's connection, also before the request is set up.
func (r *Request) Downstream() Downstream {
	conn := r.Conn
	if r.Main != nil {
		conn = r.Main.Conn
	}
	if m, ok := conn.(mute); ok {
		return m.Downstream
	}
	return conn
}

// proxyProtocolVariables are the $proxy_protocol_ variables.
func proxyProtocolVariables() []Variable {
	get := func(f func(h *ClientClaim) string) func(*Request) (string, bool) {
		return func(r *Request) (string, bool) {
			c, ok := r.Downstream().(ClaimedConn)
			if !ok {
				return "", false
			}
			v := f(c.Claim())
			return v, v != ""
		}
	}
	return []Variable{
		{Name: "proxy_protocol_addr", Get: get(func(h *ClientClaim) string { return h.Addr })},
		{Name: "proxy_protocol_port", Get: get(func(h *ClientClaim) string { return h.Port })},
		{Name: "proxy_protocol_server_addr", Get: get(func(h *ClientClaim) string { return h.ServerAddr })},
		{Name: "proxy_protocol_server_port", Get: get(func(h *ClientClaim) string { return h.ServerPort })},
	}
}
