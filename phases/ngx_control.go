package phases

import (
	"fmt"
	"strings"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxControl is what ends or suspends a handler.
var ngxControl = lib{
	{"exit", ngxExit},
	{"exec", ngxExec},
	{"redirect", ngxRedirect},
	{"on_abort", ngxOnAbort},
	{"sleep", ngxSleep},
	{"get_phase", ngxGetPhase},
	{"get_raw_phase", ngxGetRawPhase},
	{"run_worker_thread", ngxRunWorkerThread},
}

// ngxExit is ngx.exit(status). In the filters and the balancer it does not end
// the code, so there it only notes the status.
func ngxExit(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c := gate(th, apiExit, noRequest)
	code := th.CheckInt(args, 0)
	if code == rcAgain || code == rcDone {
		th.Errorf("bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE")
	}
	if r := c.R; r != nil {
		r.Logf(LogDebug, "lua exit with code %d", code)
		if r.HeadersSent && code >= 300 && code != statusRequestTimeout && code != statusClientClosed && code != statusClose &&
			c.Phase.allows(apiOutput) {
			if code != r.Out.Status {
				r.Logf(LogErr, "attempt to set status %d via ngx.exit after sending out the response status %d", code, r.Out.Status)
			}
			code = 200
		}
		if code >= 200 && code < 300 && !r.HeadersSent && r.Out.Status == 0 {
			r.Out.Status = code
		}
	}
	if !c.Phase.CanYield() {
		c.Exit, c.Exited = code, true
		return rt.Nil, 0
	}
	checkPending(th, code)
	panic(luaExit{code})
}

// checkPending refuses to end a handler that waits for subrequests.
func checkPending(th *rt.Thread, code int) {
	if code == rcError || code == statusRequestTimeout || code == statusClientClosed || code == statusClose {
		return
	}
	if luaCtx(th).subrequests > 0 {
		th.Errorf("attempt to abort with pending subrequests")
	}
}

// ngxExec is ngx.exec(uri, args).
func ngxExec(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting one or two arguments, but got %d", len(args))
	}
	if luaCtx(th).Phase == PhaseInit {
		th.Errorf(noRequestObject)
	}
	uri := th.CheckString(args, 0)
	if uri == "" {
		th.Errorf("The uri argument is empty")
	}
	r := gate(th, apiOutput, noRequestObject).R
	hasArgs := strings.IndexByte(uri, '?') >= 0
	uri, query, ok := r.openTarget(uri)
	if !ok {
		th.Errorf("unsafe uri")
	}
	if len(args) == 2 && !args[1].IsNil() {
		more := queryArgument(th, args, 1)
		if query != "" && more != "" {
			query += "&"
		}
		query += more
	}
	if r.HeadersSent {
		th.Errorf("attempt to call ngx.exec after sending out response headers")
	}
	if uri[0] == '@' && query != "" {
		r.Logf(LogWarn, "query strings %s ignored when exec'ing named location %s", query, uri)
		query = ""
	}
	checkPending(th, 0)
	panic(luaExec{uri, query, hasArgs})
}

// queryArgument is an argument that is a query string or a table of arguments.
func queryArgument(th *rt.Thread, args []rt.Value, i int) string {
	switch v := args[i]; {
	case v.IsString(), v.IsNumber():
		return luaText(th, v)
	case v.IsTable():
		return encodeArgs(th, v.Table())
	}
	th.ArgError(i, "string, number, or table expected, but got "+rt.TypeName(args[i]))
	return ""
}

// ngxRedirect is ngx.redirect(uri, status).
func ngxRedirect(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting one or two arguments")
	}
	uri := th.CheckString(args, 0)
	status := th.OptInt(args, 1, 302)
	switch status {
	case 301, 302, 303, 307, 308:
	default:
		th.Errorf("only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, " +
			"ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed")
	}
	r := gate(th, apiOutput, noRequestObject).R
	checkPending(th, 0)
	if r.HeadersSent {
		th.Errorf("attempt to call ngx.redirect after sending out the headers")
	}
	if c, bad := unsafeByte(uri); bad {
		th.Errorf("unsafe byte \"0x%02x\" in redirect uri \"%s\"", c, escapeUnsafe(uri))
	}
	r.Out.Location = ""
	r.Out.Headers.Add("Location", uri) // one that the script has set stays, as in nginx
	r.Out.Status = status
	panic(luaExit{status})
}

// unsafeByte finds a byte that has no place in a URI: a control character other
// than the tab.
func unsafeByte(s string) (byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return s[i], true
		}
	}
	return 0, false
}

// escapeUnsafe shows control characters as \xHH, for log lines and messages.
func escapeUnsafe(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7F {
			fmt.Fprintf(&b, "\\x%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ngxSleep is ngx.sleep(seconds).
func ngxSleep(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("attempt to pass %d arguments, but accepted 1", len(args))
	}
	c := luaCtx(th)
	if c.Phase == PhaseInit {
		th.Errorf(noRequest)
	}
	ms := int64(th.CheckNumber(args, 0) * 1000)
	if ms < 0 {
		th.Errorf("invalid sleep duration \"%d\"", ms)
	}
	gate(th, apiWait, noRequest)
	c.logf(LogDebug, "lua ready to sleep for %d ms", ms)
	expired := false
	defer func() {
		if !expired { // killed while it slept
			c.logf(LogDebug, "lua clean up the timer for pending ngx.sleep")
		}
	}()
	th.Park().Wait(time.Duration(ms) * time.Millisecond)
	expired = true
	if r := c.R; r != nil {
		c.logf(LogDebug, "lua sleep timer expired: \"%s?%s\"", r.URI, r.Args)
	} else {
		c.logf(LogDebug, "lua sleep timer expired: \"?\"")
	}
	return rt.Nil, 0
}

// ngxGetPhase is ngx.get_phase().
func ngxGetPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.String(luaCtx(th).Phase.String()), 1
}

// ngxGetRawPhase is ngx.get_raw_phase(r).
func ngxGetRawPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.Int(phaseTable[luaCtx(th).Phase].raw), 1
}
