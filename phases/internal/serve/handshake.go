package serve

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
)

// handshake makes the connection a TLS one. A client that speaks plain HTTP gets
// a connection on which it can be told so.
func (c *conn) handshake(b *binding, nc net.Conn) (net.Conn, error) {
	if log := b.log(); log.Enabled(errlog.Debug) {
		log.Output(errlog.Debug, c.number, "reusable connection: 0")
	}
	replay := &replayConn{Conn: nc}
	c.ssl = new(ssl.Connection)
	h := &ssl.Handshake{Cycle: b.cycle, Listen: b.listen, Conn: c, SSL: c.ssl, Log: b.log(), OffersHTTP2: b.offersHTTP2}
	secure := tls.Server(replay, &tls.Config{GetConfigForClient: h.ConfigFor})
	_ = nc.SetDeadline(time.Now().Add(b.limits.HeaderTimeout))
	err := secure.Handshake()
	_ = nc.SetDeadline(time.Time{})
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		replay.first, c.ssl.State = nil, secure.ConnectionState
		if log := b.log(); log.Enabled(errlog.Debug) && secure.ConnectionState().DidResume {
			log.Output(errlog.Debug, c.number, "SSL reused session")
		}
		return secure, nil
	case errors.As(err, &record) && record.Conn != nil:
		c.ssl, replay.state = nil, replayAgain
		return replay, nil
	case errors.Is(err, io.EOF):
		c.logHandshake(b, "peer closed connection in SSL handshake")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.logHandshake(b, core.ClientTimedOut)
	default:
		c.logHandshake(b, "SSL_do_handshake() failed ("+err.Error()+")")
	}
	return nil, err
}

func (c *conn) logHandshake(b *binding, what string) {
	if log := b.log(); log.Enabled(errlog.Info) {
		host, _ := core.SplitAddr(c.RemoteAddr().String())
		log.Output(errlog.Info, c.number, what+" while SSL handshaking, client: "+host+", server: "+c.owner.addr)
	}
}

// replayConn remembers what was read first, in case that was no TLS and has to
// be read again.
type replayConn struct {
	net.Conn
	first []byte
	state replayState
}

type replayState int

const (
	replayRecord replayState = iota // the next read is the first
	replayPass
	replayAgain // first is to be read again
)

// Read implements net.Conn.
func (p *replayConn) Read(b []byte) (int, error) {
	switch p.state {
	case replayRecord:
		n, err := p.Conn.Read(b)
		p.first, p.state = append(p.first, b[:n]...), replayPass
		return n, err
	case replayAgain:
		if len(p.first) == 0 {
			p.first, p.state = nil, replayPass
			break
		}
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite shuts our side of the connection down.
func (p *replayConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
