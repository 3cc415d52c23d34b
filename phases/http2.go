package phases

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	rt "github.com/moonphase/moonphase/runtime"
)

// http2Server serves the connections of a listener that speak HTTP/2. The framing
// is the standard library's; the requests take the way of Handler.
type http2Server struct {
	mu     sync.Mutex
	server *http.Server // nil until the first connection
	queue  connQueue
}

// handOver gives a connection to the HTTP/2 server if it speaks that: it was
// agreed on in the TLS handshake, or the address is one for HTTP/2 without TLS.
func (l *listener) handOver(nc net.Conn) bool {
	b := l.bound.Load()
	if !b.listen.HTTP2 {
		return false
	}
	if b.listen.TLS {
		secure, ok := nc.(*tls.Conn)
		if !ok || secure.ConnectionState().NegotiatedProtocol != "h2" {
			return false
		}
	}
	l.http2.serve(l, nc)
	return true
}

// connNumberKey is the key of a connection's number in the contexts of its
// requests.
type connNumberKey struct{}

// serve takes a connection over.
func (s *http2Server) serve(l *listener, nc net.Conn) {
	s.mu.Lock()
	if s.server == nil {
		s.queue = connQueue{conns: make(chan net.Conn), done: make(chan struct{}), addr: l.socket.Addr()}
		s.server = &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				b := l.bound.Load()
				number, _ := req.Context().Value(connNumberKey{}).(int64)
				serveForeign(b.cycle, b.listen, number, w, req)
			}),
			ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
				return context.WithValue(ctx, connNumberKey{}, connNumbers.Add(1))
			},
			Protocols:         new(http.Protocols),
			ReadHeaderTimeout: l.bound.Load().limits.HeaderTimeout,
			ErrorLog:          log.New(io.Discard, "", 0),
		}
		s.server.Protocols.SetHTTP2(true)
		s.server.Protocols.SetUnencryptedHTTP2(true)
		server := s.server
		rt.Go(func() { _ = server.Serve(&s.queue) })
	}
	s.mu.Unlock()
	select {
	case s.queue.conns <- nc:
	case <-s.queue.done:
		_ = nc.Close()
	}
}

// stop lets the requests finish and ends the connections.
func (s *http2Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		close(s.queue.done)
		_ = s.server.Shutdown(context.Background())
		s.server = nil
	}
}

// connQueue is a net.Listener whose connections another one has accepted.
type connQueue struct {
	conns chan net.Conn
	done  chan struct{}
	addr  net.Addr
}

// Accept implements net.Listener.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case nc := <-q.conns:
		return nc, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *connQueue) Close() error { return nil }

// Addr implements net.Listener.
func (q *connQueue) Addr() net.Addr { return q.addr }
