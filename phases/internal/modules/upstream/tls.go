package upstream

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

// buildTLS loads what the ssl_ directives of a location name.
func (f *Family) buildTLS(c *core.Compiler, p *Config) error {
	if err := c.Outside(p.ssl.Build(c, f.Prefix+"ssl_")); err != nil {
		return err
	}
	if p.sslVerify.V && p.ssl.Trusted.V == "" {
		return &conf.Error{Msg: "no " + f.Prefix + "ssl_trusted_certificate for " + f.Prefix + "ssl_verify"}
	}
	return nil
}

// tlsKind identifies the settings of a TLS connection among those of an upstream:
// one that was made with others, or for another name, must not be used.
type tlsKind struct {
	setup  *tlsclient.Setup
	name   string
	sni    bool
	verify bool
}

// tlsKind is the kind of connection that this exchange may use, nil without TLS.
func (x *Exchange) tlsKind() any {
	if !x.secure() {
		return nil
	}
	p := x.Conf
	return tlsKind{p.ssl.Setup, x.tlsName(), p.sslServerName.V, p.sslVerify.V}
}

// tlsName is the name that the upstream must prove to have, and is told by SNI.
func (x *Exchange) tlsName() string {
	if x.State.Host != "" {
		return x.State.Host
	}
	name := x.Conf.sslName.V.Eval(x.R)
	if name == "" {
		name = x.target.Name
	}
	host, _ := SplitHostPort(name)
	return host
}

// handshake makes the connection a TLS one. The certificate is judged on resumed
// sessions too.
func (x *Exchange) handshake() (nextKind, int) {
	r, p := x.R, x.Conf
	x.action(" while SSL handshaking to upstream")
	name := x.tlsName()
	cfg := p.ssl.Config.Clone()
	if (p.sslServerName.V || x.State.Host != "") && net.ParseIP(name) == nil {
		cfg.ServerName = name
	}
	if p.sslReuse.V {
		cfg.ClientSessionCache = p.ssl.Sessions
	}
	verdict := x.hookTLS(cfg)
	c := tls.Client(x.conn.Conn, cfg)
	ctx, cancel := context.WithTimeout(x.watch.context(), x.State.Connect)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		switch {
		case core.IsTimeout(err), ctx.Err() == context.DeadlineExceeded:
			return nextTimeout, core.OK
		case !x.watch.gone():
			r.Logf(errlog.Err, "SSL_do_handshake() failed (SSL: %v)", err)
		}
		return nextError, core.OK
	}
	x.conn.Secure(c, x.tlsKind())
	if p.sslVerify.V {
		if err := x.judge(c.ConnectionState(), name, verdict); err != nil {
			r.Log(errlog.Err, err.Error())
			return nextError, core.OK
		}
	}
	return 0, core.OK
}
