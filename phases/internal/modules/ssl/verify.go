package ssl

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
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
func setOCSP(c *core.Compiler, d *conf.Directive) error {
	if d.Args[0] == "off" {
		return nil
	}
	return core.Refused("revoked client certificates would be accepted")(c, d)
}

// buildVerifier prepares the verification of client certificates. They are looked
// at after the handshake, as a bad one is answered with an error page (statuses
// 495 and 496).
func (t *Conf) buildVerifier(c *core.Compiler, config *tls.Config) (err error) {
	if t.verifyClient.V == verifyOff {
		return nil
	}
	if t.clientCA.V == "" && t.verifyClient.V != verifyOptionalNoCA {
		return &conf.Error{Msg: "no ssl_client_certificate for ssl_verify_client"}
	}
	config.ClientAuth = tls.RequestClientCert
	t.verifier = &openssl.Verifier{Purpose: openssl.Client, Depth: t.verifyDepth.V}
	file := func(path string) string {
		if path == "" {
			return ""
		}
		return c.FullConfPath(path)
	}
	named, err := tlsclient.LoadTrusted(file(t.clientCA.V))
	if err != nil {
		return err
	}
	if len(named) > 0 { // only these are named to clients
		config.ClientCAs = x509.NewCertPool()
		for _, ca := range named {
			config.ClientCAs.AddCert(ca)
		}
	}
	trusted, err := tlsclient.LoadTrusted(file(t.trustedCA.V))
	if err != nil {
		return err
	}
	t.verifier.Roots = append(named, trusted...)
	t.verifier.CRLs, err = tlsclient.LoadCRLs(file(t.crl.V))
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

// verdictOf verifies the client's certificate, once for a connection and server.
func verdictOf(r *core.Request) *clientVerdict {
	c, by := ConnectionOf(r), Server.Of(r.Server).verifier
	if c != nil {
		if c.Verifier != nil {
			by = c.Verifier
		}
		if v := c.verdict.Load(); v != nil && v.by == by {
			return v
		}
	}
	v := &clientVerdict{by: by}
	if state, ok := State(r); ok && len(state.PeerCertificates) > 0 {
		if v.sent = true; by != nil {
			v.err = by.Verify(state.PeerCertificates)
		}
	}
	if c != nil {
		c.verdict.Store(v)
	}
	return v
}

// Status is the status a request is refused with for its connection, 0 when
// all is well: 497 for plain HTTP, 495 and 496 for the client's certificate.
func Status(r *core.Request) int {
	if !r.Listen.TLS {
		return 0
	}
	if ConnectionOf(r) == nil {
		r.Log(errlog.Info, "client sent plain HTTP request to HTTPS port while reading client request headers")
		return 497
	}
	mode := Server.Of(r.Server).verifyClient.V
	if mode == verifyOff {
		return 0
	}
	if state, ok := State(r); ok && state.ServerName != "" && r.Server != r.Listen.FindServer(new(core.Request), ngxtext.Lower(state.ServerName)) {
		r.Log(errlog.Info, "client attempted to request the server name different from the one that was negotiated while reading client request headers")
		return 421
	}
	switch v := verdictOf(r); {
	case !v.sent && mode == verifyOn:
		r.Log(errlog.Info, "client sent no required SSL certificate while reading client request headers")
		return 496
	case v.err != nil && !(mode == verifyOptionalNoCA && v.err.NoTrust()):
		r.Log(errlog.Info, fmt.Sprintf("client SSL certificate verify error: (%d:%s) while reading client request headers", v.err.Code, v.err.Text))
		return 495
	}
	return 0
}
