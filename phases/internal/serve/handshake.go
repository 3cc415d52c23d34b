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
	c.ssl = new(ssl.Connection)
	replay := &replayConn{Conn: nc, ssl: c.ssl}
	h := &ssl.Handshake{Cycle: b.cycle, Listen: b.listen, Conn: c, SSL: c.ssl, Log: b.log(), OffersHTTP2: b.offersHTTP2}
	secure := tls.Server(replay, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		h.First, replay.state = replay.first, replayPass
		copy(c.ssl.ClientRandom[:], ssl.RandomOf(h.First))
		return h.ConfigFor(hello)
	}})
	_ = nc.SetDeadline(time.Now().Add(b.limits.HeaderTimeout))
	err := secure.Handshake()
	_ = nc.SetDeadline(time.Time{})
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		replay.first, replay.ssl, c.ssl.State = nil, nil, secure.ConnectionState
		if log := b.log(); log.Enabled(errlog.Debug) && secure.ConnectionState().DidResume {
			log.Output(errlog.Debug, c.number, "SSL reused session")
		}
		return secure, nil
	case errors.As(err, &record) && record.Conn != nil:
		c.ssl, replay.ssl, replay.state = nil, nil, replayAgain
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
	ssl   *ssl.Connection // whose handshake it is, nil behind it
}

type replayState int

const (
	replayRecord replayState = iota // what is read is noted: the client's hello
	replayPass
	replayAgain // first is to be read again
)

// Read implements net.Conn.
func (p *replayConn) Read(b []byte) (int, error) {
	switch p.state {
	case replayRecord:
		n, err := p.Conn.Read(b)
		p.first = append(p.first, b[:n]...)
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

// Write implements net.Conn. It notes the random of the server's hello, which package tls
// tells nobody.
func (p *replayConn) Write(b []byte) (int, error) {
	if p.ssl != nil {
		copy(p.ssl.ServerRandom[:], ssl.RandomOf(b))
	}
	return p.Conn.Write(b)
}

// CloseWrite shuts our side of the connection down.
func (p *replayConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
