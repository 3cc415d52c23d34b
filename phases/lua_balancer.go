package phases

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
)

// setLuaBalancer reads balancer_by_lua*.
func setLuaBalancer(c *compiler, d *conf.Directive) error {
	h, err := newLuaHandler(c, d)
	if err != nil {
		return err
	}
	u := upstreamServer.at(c)
	if u.balancer != nil {
		return errDuplicate
	}
	u.balancer = func(r *Request) int { return luaBalance(r, h) }
	return nil
}

// luaBalance runs balancer_by_lua. The status that it gives up with is the request's.
func luaBalance(r *Request, h *luaHandler) int {
	_, exit, rc := runFilter(r, h, PhaseBalancer, nil)
	switch {
	case rc != rcOK:
		return 500
	case exit >= 200 || exit == rcError:
		return exit
	}
	return rcOK
}

// ngxBalancer is the module ngx.balancer: what balancer_by_lua tells the
// upstream about the next attempt.
var ngxBalancer = lib{
	{"set_current_peer", balancerSetPeer},
	{"set_more_tries", balancerMoreTries},
	{"get_last_failure", balancerLastFailure},
	{"set_timeouts", balancerTimeouts},
	{"recreate_request", balancerRecreate},
}

// balanced is the upstream that the running balancer chooses for; nil, with
// the error text, anywhere else.
func balanced(th *rt.Thread) (*upstreamState, string) {
	c := luaCtx(th)
	switch {
	case c.Phase == PhaseInit:
		th.Errorf(noRequest)
	case c.R == nil || upstreamNote.get(c.R) == nil:
		return nil, "no upstream found"
	case c.Phase != PhaseBalancer:
		return nil, "API disabled in the current context"
	}
	return &upstreamNote.get(c.R).state, ""
}

// balancerSetPeer is set_current_peer(addr, port): the address is a literal
// one, as nothing may wait here.
func balancerSetPeer(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	host := th.CheckString(args, 0)
	port := 0
	if v, ok := rt.ToNumber(rt.ArgAt(args, 1)); ok {
		port = int(v)
	}
	st, text := balanced(th)
	switch {
	case st == nil:
		return fail(th, text)
	case strings.HasPrefix(host, "unix:"):
		st.named = host
		return rt.True, 1
	}
	if h, p, err := net.SplitHostPort(host); err == nil && port == 0 {
		host = h
		if n, err := strconv.Atoi(p); err == nil {
			port = n
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
		return fail(th, "no host allowed")
	}
	st.named = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
	return rt.True, 1
}

// balancerMoreTries is set_more_tries(count), cut to what
// proxy_next_upstream_tries leaves.
func balancerMoreTries(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	n := th.CheckInt(args, 0)
	st, text := balanced(th)
	if st == nil {
		return fail(th, text)
	}
	if total := st.runs + st.tries - 1; st.maxTries > 0 && total+n > st.maxTries {
		st.moreTries = st.maxTries - total
		return th.Return2(rt.True, rt.String("reduced tries due to limit"))
	}
	st.moreTries = n
	return rt.True, 1
}

// balancerLastFailure is get_last_failure(): nil at the first attempt.
func balancerLastFailure(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	st, text := balanced(th)
	switch {
	case st == nil && luaCtx(th).R == nil:
		return rt.Nil, 1
	case st == nil:
		return th.Return3(rt.Nil, rt.Nil, rt.String(text))
	case st.last == "":
		return rt.Nil, 1
	}
	tries := upstreamNote.get(luaCtx(th).R).tries
	return th.Return2(rt.String(st.last), rt.Int(tries[len(tries)-2].status))
}

// balancerTimeouts is set_timeouts(connect, send, read), in seconds.
func balancerTimeouts(th *rt.Thread, args []rt.Value) (rt.Value, int) {
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
	for i, field := range []*time.Duration{&st.connect, &st.send, &st.read} {
		if times[i] > 0 {
			*field = times[i]
		}
	}
	return rt.True, 1
}

// balancerRecreate is recreate_request(): the request is made again from the
// headers and body as they are now.
func balancerRecreate(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	st, text := balanced(th)
	if st == nil {
		return fail(th, text)
	}
	st.rebuild = true
	return rt.True, 1
}
