package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxControl is what ends or suspends a handler.
var ngxControl = lib.Functions{
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
	c := gate(th, caller.Exit, caller.NoRequest)
	code := th.CheckInt(args, 0)
	if code == core.Again || code == core.Done {
		th.Errorf("bad argument to 'ngx.exit': does not accept NGX_AGAIN or NGX_DONE")
	}
	if r := c.Request; r != nil {
		r.Logf(errlog.Debug, "lua exit with code %d", code)
		if r.HeadersSent && code >= 300 && !closesConnection(code) &&
			c.Phase.Allows(caller.Output) {
			if code != r.Out.Status {
				r.Logf(errlog.Err, "attempt to set status %d via ngx.exit after sending out the response status %d", code, r.Out.Status)
			}
			code = 200
		}
		if code >= 200 && code < 300 && !r.HeadersSent && r.Out.Status == 0 {
			r.Out.Status = code
		}
	}
	if !c.Phase.CanYield() {
		c.exit, c.exited = code, true
		return rt.Nil, 0
	}
	checkPending(th, code)
	panic(exitAbort{code})
}

// checkPending refuses to end a handler that waits for subrequests.
func checkPending(th *rt.Thread, code int) {
	if !closesConnection(code) && ctxOf(th).subrequests > 0 {
		th.Errorf("attempt to abort with pending subrequests")
	}
}

// ngxExec is ngx.exec(uri, args).
func ngxExec(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting one or two arguments, but got %d", len(args))
	}
	if ctxOf(th).Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequestObject)
	}
	uri := th.CheckString(args, 0)
	if uri == "" {
		th.Errorf("The uri argument is empty")
	}
	r := gate(th, caller.Output, caller.NoRequestObject).Request
	hasArgs := strings.IndexByte(uri, '?') >= 0
	uri, query, ok := r.OpenTarget(uri)
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
		r.Logf(errlog.Warn, "query strings %s ignored when exec'ing named location %s", query, uri)
		query = ""
	}
	checkPending(th, 0)
	panic(execAbort{uri, query, hasArgs})
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
	r := gate(th, caller.Output, caller.NoRequestObject).Request
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
	panic(exitAbort{status})
}

// ngxGetPhase is ngx.get_phase().
func ngxGetPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.String(ctxOf(th).Phase.String()), 1
}

// ngxGetRawPhase is ngx.get_raw_phase(r).
func ngxGetRawPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.Int(ctxOf(th).Phase.Raw()), 1
}
