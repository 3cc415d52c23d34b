// Package ngxssl is the modules about TLS: ngx.ssl and those below it. Functions that
// belong to a handshake find it in the caller.
package ngxssl

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// functions are those of ngx.ssl, as far as Go's TLS can do what it asks.
var functions = lib.Functions{
	{"clear_certs", clearCerts},
	{"set_der_cert", setDERCert},
	{"set_der_priv_key", setDERKey},
	{"cert_pem_to_der", certToDER},
	{"priv_key_pem_to_der", keyToDER},
	{"parse_pem_cert", parsePEMCert},
	{"parse_pem_priv_key", parsePEMKey},
	{"parse_der_cert", parseDERCert},
	{"parse_der_priv_key", parseDERKey},
	{"set_cert", setCert},
	{"set_priv_key", setKey},
	{"server_name", serverName},
	{"server_port", serverPort},
	{"raw_server_addr", serverAddr},
	{"raw_client_addr", clientAddr},
	{"get_tls1_version", version},
	{"get_tls1_version_str", versionName},
	{"verify_client", verifyClient},
	{"get_client_random", clientRandom},
	{"get_server_random", serverRandom},
	{"get_session_master_key", masterKey},
	{"export_keying_material", exportKey},
	{"export_keying_material_early", exportEarlyKey},
	{"get_req_ssl_pointer", requestPointer},
	{"get_upstream_ssl_pointer", upstreamPointer},
	{"ssl_session_reused", sessionReused},
	{"get_req_shared_ssl_ciphers", sharedCiphers},
}

// versions are the constants of ngx.ssl, with OpenSSL's numbers.
var versions = []struct {
	name    string
	version uint16
}{
	{"SSL3_VERSION", 0x0300}, {"TLS1_VERSION", tls.VersionTLS10}, {"TLS1_1_VERSION", tls.VersionTLS11},
	{"TLS1_2_VERSION", tls.VersionTLS12}, {"TLS1_3_VERSION", tls.VersionTLS13},
}

// Modules are the modules by name; version is that of lua-resty-core.
func Modules(version string) map[string]*rt.Table {
	t := functions.Table(len(versions) + 1)
	for _, v := range versions {
		t.SetStr(v.name, rt.Int(int(v.version)))
	}
	t.SetStr("version", rt.String(version))
	return map[string]*rt.Table{
		"ngx.ssl":             t,
		"ngx.ssl.clienthello": clientHello.Table(0),
		"ngx.ssl.session":     sessions.Table(0),
		"ngx.ocsp":            ocspFunctions.Table(0),

		"ngx.proxyssl":           proxyTable(),
		"ngx.ssl.proxysslcert":   proxyCert.Table(0),
		"ngx.ssl.proxysslverify": proxyVerify.Table(0),
	}
}

// proxyTable makes ngx.proxyssl, with the numbers of versions that ngx.ssl has.
func proxyTable() *rt.Table {
	t := proxySSL.Table(len(versions))
	for _, v := range versions {
		t.SetStr(v.name, rt.Int(int(v.version)))
	}
	return t
}

// handshakeOf is the handshake of the running code, which must belong to one of
// the phases.
func handshakeOf(th *rt.Thread, phases ...caller.Phase) *ssl.Handshake {
	c := caller.Of(th)
	if c.Handshake == nil || !slices.Contains(phases, c.Phase) {
		th.Errorf("API disabled in the current context")
	}
	return c.Handshake
}

// settable is the TLS of the caller's client and its handshake, which is nil behind the
// handshake: what is set then has no effect, as in nginx. Without TLS both are nil.
func settable(th *rt.Thread) (*ssl.Connection, *ssl.Handshake) {
	return connectionOf(th), caller.Of(th).Handshake
}

const (
	badRequest = "bad request" // no TLS
	badDERCert = "d2i_X509_bio() failed"
	badDERKey  = "d2i_PrivateKey_bio() failed"
)

func clearCerts(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	c, h := settable(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	if h != nil {
		h.Chain, h.Key, h.Cleared = nil, nil, true
	}
	return rt.True, 1
}

func setDERCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	der := []byte(th.CheckString(args, 0))
	c, h := settable(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return lib.Fail(th, badDERCert)
	}
	if h != nil {
		h.Chain = rawCerts(certs)
	}
	return rt.True, 1
}

func rawCerts(certs []*x509.Certificate) [][]byte {
	var list [][]byte
	for _, c := range certs {
		list = append(list, c.Raw)
	}
	return list
}

func setDERKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	der := []byte(th.CheckString(args, 0))
	c, h := settable(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	private, ok := parseKey(der)
	if !ok {
		return lib.Fail(th, badDERKey)
	}
	if h != nil {
		h.Key = private
	}
	return rt.True, 1
}

// parseKey reads a private key in any of its DER forms.
func parseKey(der []byte) (any, bool) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, true
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, true
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, true
	}
	return nil, false
}

func certToDER(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	certs, failure := readChain(th.CheckString(args, 0))
	if failure != "" {
		return lib.Fail(th, failure)
	}
	return rt.String(string(bytes.Join(rawCerts(certs), nil))), 1
}

// readChain reads certificates in PEM. What stands behind the last one does not matter
// unless it looks like another one.
func readChain(text string) (certs []*x509.Certificate, failure string) {
	failure = "PEM_read_bio_X509_AUX() failed"
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, failure
		}
		certs, failure = append(certs, cert), "PEM_read_bio_X509() failed"
	}
	if len(certs) == 0 || strings.Count(text, "-----BEGIN CERTIFICATE-----") > len(certs) { // one is no PEM
		return nil, failure
	}
	return certs, ""
}

func keyToDER(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) > 1 && !args[1].IsNil() {
		return lib.Fail(th, "private keys with a password are not supported")
	}
	der := keyPEM(th.CheckString(args, 0))
	if der == nil {
		return lib.Fail(th, "PEM_read_bio_PrivateKey() failed")
	}
	return rt.String(string(der)), 1
}

// pemToDER gives the first block of a kind in a PEM text.
func pemToDER(text, kind string) []byte {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if block.Type == kind {
			return block.Bytes
		}
	}
}

func keyPEM(text string) []byte {
	for _, kind := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"} {
		if der := pemToDER(text, kind); der != nil {
			return der
		}
	}
	return nil
}

// chain and key are what the parse functions return: opaque to the script.
type (
	chain struct{ certs [][]byte }
	key   struct{ private any }
)

// DER implements cosocket.CertChain.
func (c *chain) DER() [][]byte { return c.certs }

// Key implements cosocket.PrivateKey.
func (k *key) Key() crypto.PrivateKey { return k.private }

func parsePEMCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	certs, failure := readChain(th.CheckString(args, 0))
	if failure != "" {
		return lib.Fail(th, failure)
	}
	return rt.Opaque(&chain{rawCerts(certs)}), 1
}

func parseDERCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return parsedChain(th, []byte(th.CheckString(args, 0)), "d2i_X509_bio() failed")
}

func parsedChain(th *rt.Thread, der []byte, message string) (rt.Value, int) {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return lib.Fail(th, message)
	}
	return rt.Opaque(&chain{rawCerts(certs)}), 1
}

func parsePEMKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return parsedKey(th, keyPEM(th.CheckString(args, 0)), "PEM_read_bio_PrivateKey() failed")
}

func parseDERKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return parsedKey(th, []byte(th.CheckString(args, 0)), "d2i_PrivateKey_bio() failed")
}

func parsedKey(th *rt.Thread, der []byte, message string) (rt.Value, int) {
	private, ok := parseKey(der)
	if !ok {
		return lib.Fail(th, message)
	}
	return rt.Opaque(&key{private}), 1
}

func setCert(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c, h := settable(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	v := rt.ArgAt(args, 0)
	if !v.IsCData() {
		return lib.Fail(th, "invalid certificate chain")
	}
	given, ok := v.CData().Object.(*chain)
	if !ok {
		return lib.Fail(th, "invalid certificate chain")
	}
	if h != nil {
		h.Chain = given.certs
	}
	return rt.True, 1
}

func setKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c, h := settable(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	const bad = "invalid private key failed"
	v := rt.ArgAt(args, 0)
	if !v.IsCData() {
		return lib.Fail(th, bad)
	}
	given, ok := v.CData().Object.(*key)
	if !ok {
		return lib.Fail(th, bad)
	}
	if h != nil {
		h.Key = given.private
	}
	return rt.True, 1
}

// serverName is server_name(): what the client has asked for. OpenSSL has not read that
// when the hello's own phase runs.
func serverName(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	c := caller.Of(th)
	name := ""
	switch conn := connectionOf(th); {
	case conn == nil:
		return lib.Fail(th, badRequest)
	case c.Phase == caller.PhaseSSLClientHello:
	case c.Handshake != nil:
		name = c.Handshake.Hello.ServerName
	case conn.State != nil:
		name = conn.State().ServerName
	}
	if name == "" {
		return rt.Nil, 1
	}
	return rt.String(name), 1
}

// clientConn is the connection of the caller's client, nil without TLS.
func clientConn(th *rt.Thread) core.Downstream {
	c := caller.Of(th)
	switch {
	case connectionOf(th) == nil:
		return nil
	case c.Handshake != nil:
		return c.Handshake.Conn
	}
	return c.Request.Main.Conn
}

func serverPort(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	conn := clientConn(th)
	if conn == nil {
		return lib.Fail(th, badRequest)
	}
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		return rt.Int(a.Port), 1
	}
	return lib.Fail(th, "unix domain has no port")
}

func serverAddr(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	conn := clientConn(th)
	if conn == nil {
		return th.Return3(rt.Nil, rt.Nil, rt.String(badRequest))
	}
	return rawAddr(th, conn.LocalAddr())
}

func clientAddr(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	conn := clientConn(th)
	if conn == nil {
		return th.Return3(rt.Nil, rt.Nil, rt.String(badRequest))
	}
	if c := caller.Of(th); c.Handshake == nil && c.Request != nil {
		if ip, _ := c.Request.ClientIP(); ip.IsValid() {
			return rawIP(th, ip)
		}
	}
	return rawAddr(th, conn.RemoteAddr())
}

func rawIP(th *rt.Thread, ip netip.Addr) (rt.Value, int) {
	kind := "inet6"
	if ip.Is4() {
		kind = "inet"
	}
	return th.Return2(rt.String(string(ip.AsSlice())), rt.String(kind))
}

// rawAddr gives an address as bytes and its kind.
func rawAddr(th *rt.Thread, addr net.Addr) (rt.Value, int) {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return rawIP(th, a.AddrPort().Addr().Unmap())
	case *net.UnixAddr:
		return th.Return2(rt.String(a.Name), rt.String("unix"))
	}
	return th.Return2(rt.String(""), rt.String("unix"))
}

// connVersion is the version of the running code's TLS connection. During the
// handshake that is the best one both sides speak.
func connVersion(th *rt.Thread) (uint16, bool) {
	c := caller.Of(th)
	if t := c.Handshake; t != nil {
		versions := ssl.Server.Of(t.Listen.Default).Protocols.V
		for _, v := range t.Hello.SupportedVersions {
			if v >= versions.Min && v <= versions.Max {
				return v, true
			}
		}
		return 0, false
	}
	if c.Request != nil {
		if s, ok := ssl.State(c.Request); ok {
			return s.Version, true
		}
	}
	return 0, false
}

func version(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	if connectionOf(th) == nil {
		return lib.Fail(th, badRequest)
	}
	v, ok := connVersion(th)
	if !ok {
		return lib.Fail(th, "bad ssl conn")
	}
	return rt.Int(int(v)), 1
}

func versionName(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	if connectionOf(th) == nil {
		return lib.Fail(th, badRequest)
	}
	v, ok := connVersion(th)
	if !ok {
		return lib.Fail(th, "bad ssl conn")
	}
	return rt.String(openssl.VersionName(v)), 1
}
