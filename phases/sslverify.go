package phases

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// values of ssl_verify_client
const (
	verifyOff = iota
	verifyOn
	verifyOptional
	verifyOptionalNoCA
)

// setOCSP refuses what would let revoked client certificates pass.
func setOCSP(c *compiler, d *conf.Directive) error {
	if d.Args[0] == "off" {
		return nil
	}
	return refused("revoked client certificates would be accepted")(c, d)
}

// buildVerifier prepares the verification of client certificates. They are looked
// at after the handshake, as a bad one is answered with an error page (statuses
// 495 and 496).
func (t *sslConf) buildVerifier(c *compiler, config *tls.Config) (err error) {
	if t.verifyClient.v == verifyOff {
		return nil
	}
	if t.clientCA.v == "" && t.verifyClient.v != verifyOptionalNoCA {
		return &conf.Error{Msg: "no ssl_client_certificate for ssl_verify_client"}
	}
	config.ClientAuth = tls.RequestClientCert
	t.verifier = &openssl.Verifier{Purpose: openssl.Client, Depth: t.verifyDepth.v}
	file := func(path string) string {
		if path == "" {
			return ""
		}
		return c.fullConfPath(path)
	}
	named, err := loadTrusted(file(t.clientCA.v))
	if err != nil {
		return err
	}
	if len(named) > 0 { // only these are named to clients
		config.ClientCAs = x509.NewCertPool()
		for _, ca := range named {
			config.ClientCAs.AddCert(ca)
		}
	}
	trusted, err := loadTrusted(file(t.trustedCA.v))
	if err != nil {
		return err
	}
	t.verifier.Roots = append(named, trusted...)
	t.verifier.CRLs, err = loadCRLs(file(t.crl.v))
	return err
}

// A clientVerdict is what became of a connection's client certificate.
type clientVerdict struct {
	by   *openssl.Verifier
	sent bool
	err  *openssl.VerifyError
}

// variable is the verdict as $ssl_client_verify.
func (v *clientVerdict) variable() string {
	switch {
	case !v.sent || v.by == nil:
		return "NONE"
	case v.err != nil:
		return "FAILED:" + v.err.Text
	}
	return "SUCCESS"
}

// sslVerdict verifies the client's certificate, once for a connection and server.
func sslVerdict(r *Request) *clientVerdict {
	c, by := sslConnectionOf(r), sslServer.of(r.Server).verifier
	if c != nil {
		if v := c.verdict.Load(); v != nil && v.by == by {
			return v
		}
	}
	v := &clientVerdict{by: by}
	if state, ok := sslState(r); ok && len(state.PeerCertificates) > 0 {
		if v.sent = true; by != nil {
			v.err = by.Verify(state.PeerCertificates)
		}
	}
	if c != nil {
		c.verdict.Store(v)
	}
	return v
}

// sslStatus is the status a request is refused with for its connection, 0 when
// all is well: 497 for plain HTTP, 495 and 496 for the client's certificate.
func sslStatus(r *Request) int {
	if !r.Listen.TLS {
		return 0
	}
	if sslConnectionOf(r) == nil {
		r.Log(errlog.Info, "client sent plain HTTP request to HTTPS port while reading client request headers")
		return 497
	}
	mode := sslServer.of(r.Server).verifyClient.v
	if mode == verifyOff {
		return 0
	}
	if state, ok := sslState(r); ok && state.ServerName != "" && r.Server != r.Listen.FindServer(new(Request), lowerString(state.ServerName)) {
		r.Log(errlog.Info, "client attempted to request the server name different from the one that was negotiated while reading client request headers")
		return 421
	}
	switch v := sslVerdict(r); {
	case !v.sent && mode == verifyOn:
		r.Log(errlog.Info, "client sent no required SSL certificate while reading client request headers")
		return 496
	case v.err != nil && !(mode == verifyOptionalNoCA && v.err.NoTrust()):
		r.Log(errlog.Info, fmt.Sprintf("client SSL certificate verify error: (%d:%s) while reading client request headers", v.err.Code, v.err.Text))
		return 495
	}
	return 0
}
