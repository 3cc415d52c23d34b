package phases

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

const proxySSL = "proxy_ssl_"

// buildProxySSL loads what the proxy_ssl_ directives of a location name.
func buildProxySSL(c *compiler, p *proxyConf) error {
	if err := c.outside(p.ssl.build(c, proxySSL)); err != nil {
		return err
	}
	if p.sslVerify.v && p.ssl.trusted.v == "" {
		return &conf.Error{Msg: "no proxy_ssl_trusted_certificate for proxy_ssl_verify"}
	}
	return nil
}

// tlsKind identifies the settings of a TLS connection among those of an upstream:
// one that was made with others, or for another name, must not be used.
type tlsKind struct {
	setup  *tlsClientSetup
	name   string
	sni    bool
	verify bool
}

// tlsKind is the kind of connection that this exchange may use, nil without TLS.
func (x *exchange) tlsKind() any {
	if !x.t.tls {
		return nil
	}
	p := x.conf
	return tlsKind{p.ssl.tlsClientSetup, x.tlsName(), p.sslServerName.v, p.sslVerify.v}
}

// tlsName is the name that the upstream must prove to have, and is told by SNI.
func (x *exchange) tlsName() string {
	name := x.conf.sslName.v.eval(x.r)
	if name == "" {
		name = x.t.host
	}
	host, _ := splitHostPort(name)
	return host
}

// handshake makes the connection a TLS one. The certificate is judged on resumed
// sessions too.
func (x *exchange) handshake() (nextKind, int) {
	r, p := x.r, x.conf
	x.action(" while SSL handshaking to upstream")
	name := x.tlsName()
	cfg := p.ssl.config.Clone()
	if p.sslServerName.v && net.ParseIP(name) == nil {
		cfg.ServerName = name
	}
	if p.sslReuse.v {
		cfg.ClientSessionCache = p.ssl.sessions
	}
	c := tls.Client(x.conn.Conn, cfg)
	ctx, cancel := context.WithTimeout(x.watch.context(), x.st.connect)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		switch {
		case isTimeout(err), ctx.Err() == context.DeadlineExceeded:
			return nextTimeout, rcOK
		case !x.watch.gone():
			r.Logf(errlog.Err, "SSL_do_handshake() failed (SSL: %v)", err)
		}
		return nextError, rcOK
	}
	x.conn.secure(c, x.tlsKind())
	if p.sslVerify.v {
		if err := p.ssl.judge(c.ConnectionState(), name); err != nil {
			r.Log(errlog.Err, err.Error())
			return nextError, rcOK
		}
	}
	return 0, rcOK
}
