package cosocket

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"

	rt "github.com/moonphase/moonphase/runtime"
)

// A CertChain is what the C data of a parsed certificate holds (ngx.ssl.parse_pem_cert).
type CertChain interface {
	// DER returns the certificates, the peer's own first.
	DER() [][]byte
}

// A PrivateKey is what the C data of a parsed key holds (ngx.ssl.parse_pem_priv_key).
type PrivateKey interface{ Key() crypto.PrivateKey }

// setClientCert is tcpsock:setclientcert(cert, key): what later handshakes of the
// object show the server; nothing with neither.
func (l *Lib) setClientCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	t := th.CheckTable(args, 0)
	cert, key := rt.ArgAt(args, 1), rt.ArgAt(args, 2)
	switch {
	case !cert.Truthy() && !key.Truthy():
		t.SetInt(atClientCert, rt.Nil)
		t.SetInt(atClientKey, rt.Nil)
		return rt.True, 1
	case !cert.Truthy() || !key.Truthy():
		return fail(th, "client certificate must be supplied with corresponding private key")
	case !cert.IsCData():
		return fail(th, "bad cert arg: cdata expected, got "+rt.TypeName(cert))
	case !key.IsCData():
		return fail(th, "bad pkey arg: cdata expected, got "+rt.TypeName(key))
	}
	t.SetInt(atClientCert, cert)
	t.SetInt(atClientKey, key)
	return rt.True, 1
}

// useClientCert puts the object's certificate into a configuration, in place of that
// of lua_ssl_certificate. It returns what is wrong, "" for nothing.
func useClientCert(cfg *tls.Config, object *rt.Table) string {
	v, k := object.Int(atClientCert), object.Int(atClientKey)
	if !v.IsCData() {
		return ""
	}
	chain, ok := v.CData().Object.(CertChain)
	if !ok || len(chain.DER()) == 0 {
		return "invalid client certificate chain"
	}
	pair := tls.Certificate{Certificate: chain.DER()}
	if k.IsCData() {
		if key, ok := k.CData().Object.(PrivateKey); ok {
			pair.PrivateKey = key.Key()
		}
	}
	cfg.Certificates = nil
	if signer, ok := pair.PrivateKey.(crypto.Signer); !ok || !matches(chain.DER()[0], signer) {
		return "" // a key of another certificate replaces it: none is shown
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return ""
}

// matches reports whether a key is that of a certificate.
func matches(der []byte, key crypto.Signer) bool {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(leaf.PublicKey)
}
