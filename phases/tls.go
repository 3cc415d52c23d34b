package phases

import (
	"crypto/tls"
	"errors"
	"net"
)

// serverTLS is what the ssl directives say to a server.
type serverTLS struct{}

func (s *serverTLS) merge(*serverTLS) {}

func sslDirectives() []directive { return nil }

// handshake makes the connection a TLS one.
func (c *conn) handshake(*binding, net.Conn) (*tls.Conn, error) {
	return nil, errors.New("no TLS yet")
}
