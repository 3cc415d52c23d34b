package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

// buildTLS loads what the ssl_ directives of a location name. judged tells that a hook wants
// to know what is wrong with certificates.
func (f *Family) buildTLS(c *core.Compiler, p *Config, judged bool) error {
	if cert := p.sslCert; cert.Set {
		switch key := p.sslKey; {
		case !key.Set:
			return &conf.Error{Msg: fmt.Sprintf("no \"%sssl_certificate_key\" is defined for certificate \"%s\"", f.Prefix, cert.V.Lit)}
		case cert.V.IsStatic() && key.V.IsStatic() && cert.V.Lit != "":
			p.ssl.Show(c.FullConfPath(cert.V.Lit), c.FullConfPath(key.V.Lit), p.sslPasswords.V)
		}
	}
	p.ssl.Trust(judged || p.sslVerify.V)
	if p.sslVerify.V && p.ssl.Trusted.V == "" {
		return &conf.Error{Msg: "no " + f.Prefix + "ssl_trusted_certificate for " + f.Prefix + "ssl_verify"}
	}
	return c.Outside(p.ssl.Build(c, f.Prefix+"ssl_"))
}

// handshakeText words the failure of a handshake, as OpenSSL does where both have one word.
func handshakeText(err error) string {
	if errors.As(err, new(tls.RecordHeaderError)) {
		return "error:0A00010B:SSL routines::wrong version number"
	}
	return err.Error()
}

// showCertificate loads a certificate whose name has variables
// (ngx_http_upstream_ssl_certificate).
func (x *Exchange) showCertificate(cfg *tls.Config) error {
	p, r := x.Conf, x.R
	if !p.sslCert.Set || p.sslCert.V.IsStatic() && p.sslKey.V.IsStatic() {
		return nil
	}
	cert, key := p.sslCert.V.Eval(r), p.sslKey.V.Eval(r)
	if cert == "" {
		return nil
	}
	dir := filepath.Dir(r.Cycle.ConfPath) + "/"
	pair, err := tlsclient.LoadKeyPair(core.FullPath(dir, cert), core.FullPath(dir, key), p.sslPasswords.V...)
	if err == nil {
		cfg.Certificates = []tls.Certificate{pair}
	}
	return err
}

// tlsKind identifies the settings of a TLS connection among those of an upstream:
// one that was made with others, or for another name, must not be used.
type tlsKind struct {
	setup  *tlsclient.Setup
	name   string
	cert   string // that it was made with, where that has variables
	sni    bool
	verify bool
}

// tlsKind is the kind of connection that this exchange may use, nil without TLS.
func (x *Exchange) tlsKind() any {
	if !x.secure() {
		return nil
	}
	p := x.Conf
	kind := tlsKind{setup: p.ssl.Setup, name: x.tlsName(), sni: p.sslServerName.V, verify: p.sslVerify.V}
	if p.sslCert.Set && !p.sslCert.V.IsStatic() {
		kind.cert = p.sslCert.V.Eval(x.R)
	}
	return kind
}

// tlsName is the name that the upstream must prove to have, and is told by SNI.
func (x *Exchange) tlsName() string {
	if x.State.Host != "" {
		return x.State.Host
	}
	name := x.target.Name
	if own := &x.Conf.sslName; own.Set {
		name = own.V.Eval(x.R)
	}
	host, _ := SplitHostPort(name)
	return host
}

// handshake makes the connection a TLS one. The certificate is judged on resumed
// sessions too.
func (x *Exchange) handshake() (nextKind, int) {
	r, p := x.R, x.Conf
	name := x.tlsName()
	cfg := p.ssl.Config.Clone()
	if (p.sslServerName.V || x.State.Host != "") && net.ParseIP(name) == nil {
		cfg.ServerName = name
	}
	if p.sslReuse.V {
		cfg.ClientSessionCache = p.ssl.Sessions
	}
	if err := x.showCertificate(cfg); err != nil {
		r.Log(errlog.Err, err.Error())
		return 0, 500
	}
	x.action(" while SSL handshaking to upstream")
	verdict := x.hookTLS(cfg)
	c := tls.Client(x.conn.Conn, cfg)
	ctx, cancel := context.WithTimeout(x.watch.context(), x.State.Connect)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		switch {
		case core.IsTimeout(err), ctx.Err() == context.DeadlineExceeded:
			return nextTimeout, core.OK
		case !x.watch.gone():
			r.Logf(errlog.Err, "SSL_do_handshake() failed (SSL: %s)", handshakeText(err))
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
