package lua

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	rt "github.com/moonphase/moonphase/runtime"
)

// setBalancer reads balancer_by_lua*.
func setBalancer(c *core.Compiler, d *conf.Directive) error {
	h, err := newHandler(c, d)
	if err != nil {
		return err
	}
	u := upstream.Server.At(c)
	if u.Balancer != nil {
		return core.ErrDuplicate
	}
	u.Balancer = func(r *core.Request) int { return balancerBy(r, h) }
	return nil
}

// balancerBy runs balancer_by_lua. The status that it gives up with is the request's.
func balancerBy(r *core.Request, h *handler) int {
	_, exit, rc := runFilter(r, h, PhaseBalancer, nil)
	switch {
	case rc != core.OK:
		return 500
	case exit >= 200 || exit == core.Error:
		return exit
	}
	return core.OK
}

// ngxBalancer is the module ngx.balancer: what balancer_by_lua tells the
// upstream about the next attempt.
var ngxBalancer = lib.Functions{
	{"set_current_peer", balancerSetPeer},
	{"set_more_tries", balancerMoreTries},
	{"get_last_failure", balancerLastFailure},
	{"set_timeouts", balancerTimeouts},
	{"recreate_request", balancerRecreate},
}

// balanced is the upstream that the running balancer chooses for; nil, with
// the error text, anywhere else.
func balanced(th *rt.Thread) (*upstream.State, string) {
	c := ctxOf(th)
	switch {
	case c.phase == PhaseInit:
		th.Errorf(noRequest)
	case c.r == nil || upstream.Note.Get(c.r) == nil:
		return nil, "no upstream found"
	case c.phase != PhaseBalancer:
		return nil, "API disabled in the current context"
	}
	return &upstream.Note.Get(c.r).State, ""
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
		return lib.Fail(th, text)
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

// balancerMoreTries is set_more_tries(count), cut to what
// proxy_next_upstream_tries leaves.
func balancerMoreTries(th *rt.Thread, args []rt.Value) (rt.Value, int) {
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

// balancerLastFailure is get_last_failure(): nil at the first attempt.
func balancerLastFailure(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	st, text := balanced(th)
	switch {
	case st == nil && ctxOf(th).r == nil:
		return rt.Nil, 1
	case st == nil:
		return th.Return3(rt.Nil, rt.Nil, rt.String(text))
	case st.Last == "":
		return rt.Nil, 1
	}
	tries := upstream.Note.Get(ctxOf(th).r).Tries
	return th.Return2(rt.String(st.Last), rt.Int(tries[len(tries)-2].Status))
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
	for i, field := range []*time.Duration{&st.Connect, &st.Send, &st.Read} {
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
		return lib.Fail(th, text)
	}
	st.Rebuild = true
	return rt.True, 1
}
