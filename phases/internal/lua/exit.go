package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// failed is the answer of a handler that ended with an error.
func failed(r *core.Request) int {
	if r.HeadersSent {
		return core.Error
	}
	return 500
}

// ended is the answer of a handler that came to its end, or to
// ngx.exit(ngx.OK).
func ended(r *core.Request, p caller.Phase) int {
	if p == caller.PhaseContent {
		return finishOutput(r)
	}
	if r.HeadersSent { // output that is only kept back (HTTP/1.0) ends nothing
		if rc := finishOutput(r); rc != core.OK {
			return rc
		}
		return 200
	}
	if p == caller.PhaseAccess {
		return core.OK
	}
	return core.Declined
}

// aborted acts on what unwound a handler.
func aborted(r *core.Request, abort rt.Abort, p caller.Phase) int {
	switch a := abort.(type) {
	case exitAbort:
		return exited(r, a.code, p)
	case cutAbort:
		return core.Error
	case execAbort:
		if strings.HasPrefix(a.uri, "@") {
			name, _, _ := strings.Cut(a.uri, "?")
			return r.NamedRedirect(name)
		}
		rc := r.InternalRedirect(a.uri, a.args)
		r.EmptyArgs = a.hasArgs
		return rc
	case jumpAbort:
		forget(r)
		return ended(r, p) // one that has begun its answer stays where it is
	case *guard.Defect: // logged
		return failed(r)
	}
	r.Logf(errlog.Err, "lua handler aborted: %v", abort)
	return failed(r)
}

// exited is the answer after ngx.exit(code) (ngx_http_lua_handle_exit). Output that
// is kept back for an HTTP/1.0 client goes out first, unless the code closes the
// connection; the request has its answer then. Else it depends:
//
//	code                 rewrite         access     content, output ended    content
//	OK                   goes on         granted    done                     ends the body
//	DECLINED             goes on         declines   done                     done if nothing was sent
//	200-299 but 204      ends the body, the request is done
//	204                  its page, or done when the body has ended
//	ERROR 408 444 499    the connection is closed
//	others               the status's page
//
// A code below 200 and 204 give a main request up whose body has begun and not ended.
func exited(r *core.Request, code int, p caller.Phase) int {
	r.Logf(errlog.Debug, "lua exit with code %d", code)
	if !r.HeadersSent && r.Out.Status == 0 && code >= 200 {
		r.Out.Status = code
	}
	keptBack := note.Of(r).buffering && r.Out.Status != 0
	switch {
	case keptBack && !closesConnection(code), code >= 200 && code < 300 && code != 204:
		if rc := finishOutput(r); rc != core.OK {
			return rc
		}
		return min(code, 200)
	case code == core.OK, code == core.Declined && p != caller.PhaseContent && p != caller.PhaseAccess:
		return ended(r, p)
	case code == core.Declined && p == caller.PhaseAccess:
		return core.Declined
	case code == core.Declined && (!r.HeadersSent || r.OutputEnded):
		return core.OK
	case code == 204 && r.OutputEnded:
		return 200
	case r == r.Main && r.HeadersSent && !r.OutputEnded && (code < 200 || code == 204):
		return core.Error
	}
	return code
}

// closesConnection tells of the codes that end a request without an answer.
func closesConnection(code int) bool {
	return code == core.Error || code == core.StatusRequestTimeout || code == core.StatusClientClosed || code == core.StatusClose
}
