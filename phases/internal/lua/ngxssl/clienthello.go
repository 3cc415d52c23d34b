package ngxssl

import (
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// clientHello is the module ngx.ssl.clienthello.
var clientHello = lib.Functions{
	{"get_client_hello_server_name", helloServerName},
	{"get_supported_versions", helloVersions},
	{"set_protocols", helloSetProtocols},
	{"get_client_hello_ext", helloExtension},
	{"get_client_hello_ext_present", helloExtensions},
	{"get_client_hello_ciphers", helloCiphers},
}

// helloOf is the hello of the running code, which must belong to its phase.
func helloOf(th *rt.Thread) *ssl.Handshake {
	if caller.Of(th).Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	return handshakeOf(th, caller.PhaseSSLClientHello)
}

// helloServerName is get_client_hello_server_name(): nil when the client names none.
func helloServerName(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	if name := helloOf(th).Hello.ServerName; name != "" {
		return rt.String(name), 1
	}
	return rt.Nil, 1
}

// messageOf is the client's hello to the byte.
func messageOf(th *rt.Thread) *ssl.ClientHello {
	if hello := ssl.ParseClientHello(helloOf(th).First); hello != nil {
		return hello
	}
	return &ssl.ClientHello{}
}

// helloExtension is get_client_hello_ext(type): the body, nil for an extension that the
// client does not send.
func helloExtension(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	hello := messageOf(th)
	n := th.CheckNumber(args, 0)
	if n >= 0 && n <= 0xFFFF {
		if body, ok := hello.Extension(uint16(n)); ok {
			return rt.String(string(body)), 1
		}
	}
	return rt.Nil, 1
}

// helloExtensions is get_client_hello_ext_present(): the types in the client's order.
func helloExtensions(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	hello := messageOf(th)
	if len(hello.Extensions) == 0 {
		return rt.Nil, 1
	}
	list := rt.NewTable(len(hello.Extensions), 0)
	for i, e := range hello.Extensions {
		list.SetInt(i+1, rt.Int(int(e.ID)))
	}
	return rt.TableValue(list), 1
}

// helloCiphers is get_client_hello_ciphers(): what the client offers, but for what it has
// made up.
func helloCiphers(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	return cipherList(messageOf(th).Ciphers, true), 1
}

func cipherList(ids []uint16, filter bool) rt.Value {
	list := rt.NewTable(len(ids), 0)
	n := 0
	for _, id := range ids {
		if !filter || !ssl.IsGREASE(id) {
			n++
			list.SetInt(n, rt.Int(int(id)))
		}
	}
	return rt.TableValue(list)
}

// helloVersions is get_supported_versions().
func helloVersions(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	t := handshakeOf(th, caller.PhaseSSLClientHello)
	list := rt.NewTable(len(t.Hello.SupportedVersions), 0)
	n := 0
	for _, v := range t.Hello.SupportedVersions {
		if name := openssl.VersionName(v); name != "" {
			n++
			list.SetInt(n, rt.String(name))
		}
	}
	return rt.TableValue(list), 1
}

func helloSetProtocols(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	t := handshakeOf(th, caller.PhaseSSLClientHello)
	list := th.CheckTable(args, 0)
	var versions tlsclient.Versions
	for i := 1; i <= list.Len(); i++ {
		name := list.Int(i)
		v := uint16(0)
		if name.IsString() {
			v = openssl.Versions[name.Str()]
		}
		if v == 0 {
			continue
		}
		if versions.Min == 0 || v < versions.Min {
			versions.Min = v
		}
		versions.Max = max(versions.Max, v)
	}
	if versions.Max == 0 {
		return lib.Fail(th, "no protocols that are supported")
	}
	t.Versions = versions
	return rt.True, 1
}
