package ngxssl

import (
	"crypto/x509"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// The modules about handshakes with upstreams.
var (
	proxySSL = lib.Functions{
		{"get_tls1_version", proxyVersion},
		{"get_tls1_version_str", proxyVersionName},
	}
	proxyCert = lib.Functions{
		{"clear_certs", proxyClear},
		{"set_der_cert", proxyDERCert},
		{"set_der_priv_key", proxyDERKey},
		{"set_cert", proxySetCert},
		{"set_priv_key", proxySetKey},
	}
	proxyVerify = lib.Functions{
		{"set_verify_result", proxySetResult},
		{"get_verify_result", proxyResult},
		{"get_verify_cert", proxyPeer},
	}
)

// upstreamOf is the handshake of the running code with an upstream; nil, with the error's
// text, outside of its phases.
func upstreamOf(th *rt.Thread) (*upstream.TLSHandshake, string) {
	c := caller.Of(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Upstream != nil:
		return c.Upstream, ""
	case c.Request == nil || upstream.Note.Get(c.Request) == nil:
		return nil, "bad request"
	}
	return nil, "bad upstream connection"
}

func proxyVersion(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	return rt.Int(int(t.Version)), 1
}

func proxyVersionName(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	if name := openssl.VersionName(t.Version); name != "" {
		return rt.String(name), 1
	}
	return lib.Fail(th, "unknown version")
}

func proxyClear(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	t.Chain, t.Key, t.Cleared = nil, nil, true
	return rt.True, 1
}

func proxyDERCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	der := []byte(th.CheckString(args, 0))
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return lib.Fail(th, "d2i_X509_bio() failed")
	}
	t.Chain = rawCerts(certs)
	return rt.True, 1
}

func proxyDERKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	der := []byte(th.CheckString(args, 0))
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	private, ok := parseKey(der)
	if !ok {
		return lib.Fail(th, "d2i_PrivateKey_bio() failed")
	}
	t.Key = private
	return rt.True, 1
}

func proxySetCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	if v := rt.ArgAt(args, 0); v.IsCData() {
		if c, ok := v.CData().Object.(*chain); ok {
			t.Chain = c.certs
			return rt.True, 1
		}
	}
	return lib.Fail(th, "invalid certificate chain")
}

func proxySetKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	t, text := upstreamOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	if v := rt.ArgAt(args, 0); v.IsCData() {
		if k, ok := v.CData().Object.(*key); ok {
			t.Key = k.private
			return rt.True, 1
		}
	}
	return lib.Fail(th, "invalid private key")
}

// verifyingOf is upstreamOf for functions that belong to one phase alone.
func verifyingOf(th *rt.Thread) (*upstream.TLSHandshake, string) {
	c := caller.Of(th)
	if c.Phase != caller.PhaseInit && c.Phase != caller.PhaseProxySSLVerify {
		th.Errorf("API disabled in the current context")
	}
	return upstreamOf(th)
}

// proxySetResult is set_verify_result(number): what is wrong with the certificate, 0 for
// nothing.
func proxySetResult(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	t, text := verifyingOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	t.Result = th.CheckInt(args, 0)
	return rt.True, 1
}

func proxyResult(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t, text := verifyingOf(th)
	if t == nil {
		return lib.Fail(th, text)
	}
	return rt.Int(t.Result), 1
}

func proxyPeer(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t, text := verifyingOf(th)
	switch {
	case t == nil:
		return lib.Fail(th, text)
	case len(t.Peer) == 0:
		return lib.Fail(th, "get verify result failed")
	}
	return rt.Opaque(&chain{rawCerts(t.Peer[:1])}), 1
}
