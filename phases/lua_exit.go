package phases

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// luaFailed is the answer of a handler that ended with an error.
func luaFailed(r *Request) int {
	if r.HeadersSent {
		return rcError
	}
	return 500
}

// luaEnded is the answer of a handler that came to its end, or to
// ngx.exit(ngx.OK).
func luaEnded(r *Request, p Phase) int {
	if p == PhaseContent {
		return luaFinishOutput(r)
	}
	if r.HeadersSent { // output that is only kept back (HTTP/1.0) ends nothing
		if rc := luaFinishOutput(r); rc != rcOK {
			return rc
		}
		return 200
	}
	if p == PhaseAccess {
		return rcOK
	}
	return rcDeclined
}

// luaAborted acts on what unwound a handler.
func luaAborted(r *Request, abort rt.Abort, p Phase) int {
	switch a := abort.(type) {
	case luaExit:
		return luaExited(r, a.code, p)
	case luaCut:
		return rcError
	case luaExec:
		if strings.HasPrefix(a.uri, "@") {
			name, _, _ := strings.Cut(a.uri, "?")
			return r.NamedRedirect(name)
		}
		rc := r.InternalRedirect(a.uri, a.args)
		r.emptyArgs = a.hasArgs
		return rc
	case luaJump:
		luaClear(r)
		return rcDeclined
	case *guard.Defect: // logged
		return luaFailed(r)
	}
	r.Logf(errlog.Err, "lua handler aborted: %v", abort)
	return luaFailed(r)
}

// luaExited is the answer after ngx.exit(code) (ngx_http_lua_handle_exit). Output that
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
func luaExited(r *Request, code int, p Phase) int {
	r.Logf(errlog.Debug, "lua exit with code %d", code)
	if !r.HeadersSent && r.Out.Status == 0 && code >= 200 {
		r.Out.Status = code
	}
	keptBack := luaNote.of(r).buffering && r.Out.Status != 0
	switch {
	case keptBack && !closesConnection(code), code >= 200 && code < 300 && code != 204:
		if rc := luaFinishOutput(r); rc != rcOK {
			return rc
		}
		return min(code, 200)
	case code == rcOK, code == rcDeclined && p != PhaseContent && p != PhaseAccess:
		return luaEnded(r, p)
	case code == rcDeclined && p == PhaseAccess:
		return rcDeclined
	case code == rcDeclined && (!r.HeadersSent || r.outputEnded):
		return rcOK
	case code == 204 && r.outputEnded:
		return 200
	case r == r.Main && r.HeadersSent && !r.outputEnded && (code < 200 || code == 204):
		return rcError
	}
	return code
}

// closesConnection tells of the codes that end a request without an answer.
func closesConnection(code int) bool {
	return code == rcError || code == statusRequestTimeout || code == statusClientClosed || code == statusClose
}
