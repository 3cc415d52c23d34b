package ngxssl

import (
	"crypto/x509"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// anyDepth stands for a chain of any length.
const anyDepth = 100

// verifyClient is verify_client(client_certs, depth, trusted_certs): the client is asked
// for a certificate of one of client_certs, and judged by these and trusted_certs.
func verifyClient(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	named, trusted := certsArgument(th, args, 0), certsArgument(th, args, 2)
	depth := anyDepth
	if rt.ArgAt(args, 1).Truthy() {
		if n := th.CheckInt(args, 1); n >= 0 {
			depth = min(n, anyDepth)
		}
	}
	c := caller.Of(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Phase != caller.PhaseSSLCert || c.Handshake == nil:
		return lib.Fail(th, "API disabled in the current context")
	}
	by := &openssl.Verifier{Purpose: openssl.Client, Depth: depth, Roots: append(trusted, named...), GoOn: true}
	c.Handshake.VerifyClient(named, by)
	return rt.True, 1
}

// certsArgument is argument i, nil or what parse_pem_cert has given.
func certsArgument(th *rt.Thread, args []rt.Value, i int) []*x509.Certificate {
	v := rt.ArgAt(args, i)
	if v.IsNil() || v == rt.LightNull {
		return nil
	}
	if v.IsCData() {
		if c, ok := v.CData().Object.(*chain); ok {
			var certs []*x509.Certificate
			for _, der := range c.certs {
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					th.Errorf("bad certificate")
				}
				certs = append(certs, cert)
			}
			return certs
		}
	}
	// The function of ngx_lua has the request in front, and the trusted ones before the depth.
	th.Errorf("bad argument #%d to 'ngx_lua_ffi_ssl_verify_client' (cannot convert '%s' to 'void *')", 2+i/2, rt.TypeName(v))
	return nil
}
