package upstream

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// TLSHooks are what ngx_lua puts into the handshakes of a location with its upstreams,
// nil normally. An error ends a handshake.
type TLSHooks struct {
	Certificate func(*TLSHandshake) error // the upstream asks who we are
	Verify      func(*TLSHandshake) error // it has told who it is
	SkipVerify  bool                      // Verify alone judges (lua_upstream_skip_openssl_default_verify)
}

// Hooks are those of a location. Nothing is inherited: who sets them knows the levels.
var Hooks = core.NewLocSlot[TLSHooks](nil)

// TLSHandshake is a handshake with an upstream, as a hook sees it.
type TLSHandshake struct {
	Request *core.Request
	Version uint16

	// What Certificate sets: a certificate in DER with its key in place of the configured
	// one; Cleared is for none at all.
	Chain   [][]byte
	Key     crypto.PrivateKey
	Cleared bool

	// What Verify looks at: the upstream's certificates, and what is wrong with them as
	// X509_V_ERR_* numbers it, 0 for nothing. It may change that.
	Peer   []*x509.Certificate
	Result int
}

// hookTLS puts the location's hooks into the configuration of a handshake. verdict is
// what Verify has made of the certificates, nil when it does not run.
func (x *Exchange) hookTLS(cfg *tls.Config) (verdict func() (int, bool)) {
	hooks := Hooks.Of(x.R.Loc)
	if hooks.Certificate != nil {
		x.hookCertificate(cfg, hooks.Certificate)
	}
	result, ran := 0, false
	if hooks.Verify != nil {
		cfg.VerifyConnection = func(cs tls.ConnectionState) error {
			if cs.DidResume { // it was verified when the session began
				return nil
			}
			t := &TLSHandshake{Request: x.R, Version: cs.Version, Peer: cs.PeerCertificates}
			if v := x.Conf.ssl.Verifier; !hooks.SkipVerify && v != nil {
				if err := v.Verify(cs.PeerCertificates); err != nil {
					t.Result = err.Code
				}
			}
			if err := hooks.Verify(t); err != nil {
				return err
			}
			result, ran = t.Result, true
			return nil
		}
	}
	return func() (int, bool) { return result, ran }
}

func (x *Exchange) hookCertificate(cfg *tls.Config, hook func(*TLSHandshake) error) {
	configured, certs := cfg.GetClientCertificate, cfg.Certificates
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t := &TLSHandshake{Request: x.R, Version: info.Version}
		if err := hook(t); err != nil {
			return nil, err
		}
		switch {
		case len(t.Chain) > 0 && t.Key != nil:
			return &tls.Certificate{Certificate: t.Chain, PrivateKey: t.Key}, nil
		case t.Cleared:
			return new(tls.Certificate), nil
		case configured != nil:
			return configured(info)
		}
		for i := range certs {
			if info.SupportsCertificate(&certs[i]) == nil {
				return &certs[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
}

// judge is what is wrong with the upstream's certificate, as nginx logs it.
func (x *Exchange) judge(state tls.ConnectionState, name string, verdict func() (int, bool)) error {
	result, ran := verdict()
	switch {
	case !ran:
		return x.Conf.ssl.Judge(state, name)
	case result != 0:
		return fmt.Errorf("upstream SSL certificate verify error: (%d:%s)", result, openssl.VerifyText(result))
	case len(state.PeerCertificates) == 0:
		return errors.New("upstream SSL certificate is missing")
	case !openssl.MatchesHost(state.PeerCertificates[0], name):
		return fmt.Errorf("upstream SSL certificate does not match \"%s\"", name)
	}
	return nil
}
