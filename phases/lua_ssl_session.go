package phases

import (
	"crypto/tls"
	"encoding/hex"

	rt "github.com/moonphase/moonphase/runtime"
)

// sessionMax is how long a serialized session may be for scripts, in bytes.
const sessionMax = 4096

// ngxSSLSession is the module ngx.ssl.session, for the phases ssl_session_store and
// ssl_session_fetch, which keep the sessions of TLS 1.2 clients outside the process.
var ngxSSLSession = lib{
	{"get_session_id", sslSessionID},
	{"get_serialized_session", sslSerialized},
	{"set_serialized_session", sslSetSerialized},
}

// sessionOf is the session of the running code, nil outside its phases.
func sessionOf(th *rt.Thread) *sslSession {
	c := luaCtx(th)
	if c.Phase == PhaseInit {
		th.Errorf(noRequest)
	}
	if c.handshake == nil {
		return nil
	}
	return c.handshake.session
}

func sslSessionID(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	if s == nil {
		return fail(th, "uninitialized session id len in lua context")
	}
	return rt.String(hex.EncodeToString(s.id)), 1
}

func sslSerialized(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	if s == nil || s.stored == nil {
		return fail(th, "bad session in lua context")
	}
	text, err := s.stored.Bytes()
	switch {
	case err != nil:
		return fail(th, "failed to serialize session")
	case len(text) > sessionMax:
		return fail(th, "session too big to serialize")
	}
	return rt.String(string(text)), 1
}

func sslSetSerialized(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	state, err := tls.ParseSessionState([]byte(th.CheckString(args, 0)))
	if err != nil {
		return fail(th, "failed to de-serialize session")
	}
	if s != nil {
		s.fetched = state
	}
	return rt.True, 1
}
