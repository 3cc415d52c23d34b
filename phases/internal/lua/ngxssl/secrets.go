package ngxssl

import (
	"crypto/tls"
	"slices"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// connectionOf is the TLS of the running code's client, nil for none.
func connectionOf(th *rt.Thread) *ssl.Connection {
	c := caller.Of(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Handshake != nil:
		return c.Handshake.SSL
	case c.Request != nil:
		return ssl.ConnectionOf(c.Request)
	}
	return nil
}

// clientRandom is get_client_random(outlen).
func clientRandom(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return random(th, args, func(c *ssl.Connection) []byte { return c.ClientRandom[:] })
}

// serverRandom is get_server_random(outlen).
func serverRandom(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return random(th, args, func(c *ssl.Connection) []byte { return c.ServerRandom[:] })
}

// random gives up to outlen bytes; of 0 of them, how many there are.
func random(th *rt.Thread, args []rt.Value, of func(*ssl.Connection) []byte) (rt.Value, int) {
	n := ssl.RandomLen
	if rt.ArgAt(args, 0).Truthy() {
		n = th.CheckInt(args, 0)
	}
	c := connectionOf(th)
	switch {
	case c == nil:
		return lib.Fail(th, badRequest)
	case n == 0:
		return rt.Int(ssl.RandomLen), 1
	}
	return rt.String(string(of(c)[:min(max(n, 0), ssl.RandomLen)])), 1
}

// masterKey is get_session_master_key(): package tls keeps it to itself.
func masterKey(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	if connectionOf(th) == nil {
		return lib.Fail(th, badRequest)
	}
	return lib.Fail(th, "the master key of a session is not available: crypto/tls does not tell it")
}

// exportKey is export_keying_material(length, label, context).
func exportKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n, label := th.CheckInt(args, 0), th.CheckString(args, 1)
	var context []byte
	if v := rt.ArgAt(args, 2); !v.IsNil() {
		context = append([]byte{}, th.CheckString(args, 2)...)
	}
	c := connectionOf(th)
	switch {
	case c == nil:
		return lib.Fail(th, badRequest)
	case c.State == nil:
		return lib.Fail(th, "bad ssl connection")
	case n < 0 || n > maxExport:
		return lib.Fail(th, "SSL_export_keying_material() failed")
	}
	state := c.State()
	key, err := state.ExportKeyingMaterial(label, context, n)
	if err != nil {
		return lib.Fail(th, "SSL_export_keying_material() failed")
	}
	return rt.String(string(key)), 1
}

// maxExport is how much HKDF gives with SHA-256, in bytes.
const maxExport = 255 * 32

// exportEarlyKey is export_keying_material_early(): there is no early data.
func exportEarlyKey(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	th.CheckInt(args, 0)
	th.CheckString(args, 1)
	if connectionOf(th) == nil {
		return lib.Fail(th, badRequest)
	}
	return lib.Fail(th, "SSL_export_keying_material_early() failed")
}

// pointer stands for the SSL object of a connection. All that can be done with it is to
// give it to ssl_session_reused.
type pointer struct{ connection *ssl.Connection }

func requestPointer(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	c := connectionOf(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	return rt.Opaque(&pointer{c}), 1
}

func upstreamPointer(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	if caller.Of(th).Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	return lib.Fail(th, "the SSL object of an upstream is not available: connections are those of crypto/tls")
}

func sessionReused(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	v := rt.ArgAt(args, 0)
	if !v.IsCData() {
		return lib.Fail(th, "bad ssl")
	}
	p, ok := v.CData().Object.(*pointer)
	if !ok {
		return lib.Fail(th, "bad ssl")
	}
	return rt.Bool(p.connection.State != nil && p.connection.State().DidResume), 1
}

// sharedCiphers is get_req_shared_ssl_ciphers(filter_grease): those that the client
// offers and package tls can speak.
func sharedCiphers(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	filter := rt.ArgAt(args, 0)
	c := connectionOf(th)
	if c == nil {
		return lib.Fail(th, badRequest)
	}
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	var ids []uint16
	for _, id := range c.Offered {
		made := ssl.IsGREASE(id) && !filter.IsNil() && !filter.Truthy()
		if made || slices.ContainsFunc(known, func(s *tls.CipherSuite) bool { return s.ID == id }) {
			ids = append(ids, id)
		}
	}
	return cipherList(ids, filter.IsNil() || filter.Truthy()), 1
}
