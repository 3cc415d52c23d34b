// Package ngxbalancer is the module ngx.balancer: what balancer_by_lua tells the
// upstream about the next attempt.
package ngxbalancer

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	rt "github.com/moonphase/moonphase/runtime"
)

// Module makes the module.
func Module() *rt.Table { return functions.Table(0) }

// functions are those of the module.
var functions = lib.Functions{
	{"set_current_peer", setPeer},
	{"set_more_tries", moreTries},
	{"get_last_failure", lastFailure},
	{"set_timeouts", timeouts},
	{"recreate_request", recreate},
	{"enable_keepalive", enableKeepalive},
	{"set_upstream_tls", setTLS},
	{"bind_to_local_addr", bindTo},
}

// balanced is the upstream that the running balancer chooses for; nil, with
// the error text, anywhere else.
func balanced(th *rt.Thread) (*upstream.State, string) {
	c := caller.Of(th)
	switch {
	case c.Phase == caller.PhaseInit:
		th.Errorf(caller.NoRequest)
	case c.Request == nil || upstream.Note.Get(c.Request) == nil:
		return nil, "no upstream found"
	case c.Phase != caller.PhaseBalancer:
		return nil, "API disabled in the current context"
	}
	return &upstream.Note.Get(c.Request).State, ""
}

// setPeer is set_current_peer(addr, port, host): the address is a literal one, as
// nothing may wait here. The host is the name that a peer with TLS must prove to have.
func setPeer(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	host := th.CheckString(args, 0)
	port := 0
	if v, ok := rt.ToNumber(rt.ArgAt(args, 1)); ok {
		port = int(v)
	}
	name := rt.ArgAt(args, 2)
	if !name.IsNil() && !name.IsString() {
		argError(th, 3, "set_current_peer", "string expected, got "+rt.TypeName(name))
	}
	st, text := balanced(th)
	if st == nil {
		return lib.Fail(th, text)
	}
	if name.IsString() {
		st.Host = name.Str()
	}
	switch {
	case strings.HasPrefix(host, "unix:"):
		st.Named = host
		return rt.True, 1
	}
	if h, p, err := net.SplitHostPort(host); err == nil && port == 0 {
		host = h
		if n, err := strconv.Atoi(p); err == nil {
			port = n
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
		return lib.Fail(th, "no host allowed")
	}
	st.Named = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
	return rt.True, 1
}

// moreTries is set_more_tries(count), cut to what
// proxy_next_upstream_tries leaves.
func moreTries(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n := th.CheckInt(args, 0)
	st, text := balanced(th)
	if st == nil {
		return lib.Fail(th, text)
	}
	if total := st.Runs + st.Tries - 1; st.MaxTries > 0 && total+n > st.MaxTries {
		st.MoreTries = st.MaxTries - total
		return th.Return2(rt.True, rt.String("reduced tries due to limit"))
	}
	st.MoreTries = n
	return rt.True, 1
}

// lastFailure is get_last_failure(): nil at the first attempt.
func lastFailure(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	st, text := balanced(th)
	switch {
	case st == nil && caller.Of(th).Request == nil:
		return rt.Nil, 1
	case st == nil:
		return th.Return3(rt.Nil, rt.Nil, rt.String(text))
	case st.Last == "":
		return rt.Nil, 1
	}
	tries := upstream.Note.Get(caller.Of(th).Request).Tries
	return th.Return2(rt.String(st.Last), rt.Int(tries[len(tries)-2].Status))
}

// timeouts is set_timeouts(connect, send, read), in seconds.
func timeouts(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	var times [3]time.Duration
	for i, name := range []string{"connect", "send", "read"} {
		v := rt.ArgAt(args, i)
		if !v.Truthy() {
			continue
		}
		if !v.IsNumber() || v.Num() <= 0 {
			th.Errorf("bad %s timeout", name)
		}
		times[i] = time.Duration(v.Num() * float64(time.Second))
	}
	st, text := balanced(th)
	if st == nil {
		return th.Return2(rt.False, rt.String(text))
	}
	for i, field := range []*time.Duration{&st.Connect, &st.Send, &st.Read} {
		if times[i] > 0 {
			*field = times[i]
		}
	}
	return rt.True, 1
}

// recreate is recreate_request(): the request is made again from the
// headers and body as they are now.
func recreate(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	st, text := balanced(th)
	if st == nil {
		return lib.Fail(th, text)
	}
	st.Rebuild = true
	return rt.True, 1
}
