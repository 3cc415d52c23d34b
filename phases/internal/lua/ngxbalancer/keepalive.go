package ngxbalancer

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	rt "github.com/moonphase/moonphase/runtime"
)

// What enable_keepalive takes where nothing is given.
const (
	defaultIdle     = 60 * time.Second
	defaultRequests = 100
)

// argError raises an error about an argument that is not told in LuaJIT's own words.
func argError(th *rt.Thread, i int, function, message string) {
	th.Errorf("%s", fmt.Sprintf("bad argument #%d to '%s' (%s)", i, function, message))
}

// enableKeepalive is enable_keepalive(idle_timeout, max_requests): the connection of this
// attempt is kept for others. The time is in seconds; 0 is no bound.
func enableKeepalive(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	keep := &upstream.Keeping{Idle: defaultIdle, Requests: defaultRequests}
	if n, given := bound(th, args, 0); given {
		keep.Idle = time.Duration(int64(min(n*1000, 1<<40))) * time.Millisecond
	}
	if n, given := bound(th, args, 1); given {
		keep.Requests = int64(min(n, 1<<53))
	}
	st, text := balanced(th)
	switch {
	case st == nil:
		return lib.Fail(th, text)
	case st.Named == "":
		return lib.Fail(th, "no current peer set")
	}
	st.Keep = keep
	return rt.True, 1
}

// bound is argument i, a number that is not negative, where it is given.
func bound(th *rt.Thread, args []rt.Value, i int) (n float64, given bool) {
	switch v := rt.ArgAt(args, i); {
	case !v.Truthy():
		return 0, false
	case !v.IsNumber():
		argError(th, i+1, "enable_keepalive", "number expected, got "+rt.TypeName(v))
	case !(v.Num() >= 0):
		argError(th, i+1, "enable_keepalive", "expected >= 0")
	default:
		return v.Num(), true
	}
	return 0, false
}

// setTLS is set_upstream_tls(on): 0 and false turn TLS off for this attempt, all else
// turns it on.
func setTLS(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	on := rt.ArgAt(args, 0)
	st, text := balanced(th)
	if st == nil {
		return lib.Fail(th, text)
	}
	st.TLS = upstream.TLSOn
	if !on.Truthy() || on.IsNumber() && on.Num() == 0 {
		st.TLS = upstream.TLSOff
	}
	return rt.True, 1
}

// bindTo is bind_to_local_addr(addr): the connection of this attempt comes from there.
func bindTo(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	v := rt.ArgAt(args, 0)
	if !v.IsString() {
		argError(th, 1, "bind_to_local_addr", "string expected, got "+rt.TypeName(v))
	}
	st, text := balanced(th)
	if st == nil {
		return lib.Fail(th, text)
	}
	addr, ok := localAddr(v.Str())
	if !ok {
		return lib.Fail(th, "invalid addr "+v.Str())
	}
	st.Local = addr
	return rt.True, 1
}

// localAddr reads an address, with or without a port.
func localAddr(text string) (net.Addr, bool) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return &net.TCPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}, true
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return net.TCPAddrFromAddrPort(a), true
	}
	return nil, false
}
