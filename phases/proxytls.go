package phases

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/openssl"
)

const proxySSL = "proxy_ssl_"

// buildProxySSL loads what the proxy_ssl_ directives of a location name.
func (l *Location) buildProxySSL(c *compiler) error {
	if err := c.outside(l.proxySSL.build(c, proxySSL)); err != nil {
		return err
	}
	if l.proxySSLVerify.v && l.proxySSL.trusted.v == "" {
		return &conf.Error{Msg: "no proxy_ssl_trusted_certificate for proxy_ssl_verify"}
	}
	return nil
}

// upstreamTLS makes the handshake with an upstream. The certificate is judged on
// resumed sessions too.
func (r *Request) upstreamTLS(t *proxyTarget, nc net.Conn, timeout time.Duration) (net.Conn, error) {
	l := r.Loc
	name := l.proxySSLName.v.eval(r)
	if name == "" {
		name = t.host
	}
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	cfg := l.proxySSL.config.Clone()
	if l.proxySSLServerName.v {
		cfg.ServerName = name
	}
	if l.proxySSLReuse.v {
		cfg.ClientSessionCache = l.proxySSL.sessions
	}
	c := tls.Client(nc, cfg)
	c.SetDeadline(time.Now().Add(timeout))
	if err := c.Handshake(); err != nil {
		nc.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	if l.proxySSLVerify.v {
		if err := l.proxySSL.judge(c.ConnectionState(), name); err != nil {
			nc.Close()
			return nil, err
		}
	}
	return c, nil
}

// judge says what is wrong with an upstream's certificate, as nginx logs it.
func (s *tlsClientSetup) judge(state tls.ConnectionState, name string) error {
	certs := state.PeerCertificates
	if err := s.verifier.Verify(certs); err != nil {
		return fmt.Errorf("upstream SSL certificate verify error: (%d:%s)", err.Code, err.Text)
	}
	if !openssl.MatchesHost(certs[0], name) {
		return fmt.Errorf("upstream SSL certificate does not match \"%s\"", name)
	}
	return nil
}
