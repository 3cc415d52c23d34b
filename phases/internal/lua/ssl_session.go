package lua

import (
	"crypto/tls"
	"encoding/hex"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// sessionMax is how long a serialized session may be for scripts, in bytes.
const sessionMax = 4096

// ngxSSLSession is the module ngx.ssl.session, for the phases ssl_session_store and
// ssl_session_fetch, which keep the sessions of TLS 1.2 clients outside the process.
var ngxSSLSession = lib.Functions{
	{"get_session_id", sslSessionID},
	{"get_serialized_session", sslSerialized},
	{"set_serialized_session", sslSetSerialized},
}

// sessionOf is the session of the running code, nil outside its phases.
func sessionOf(th *rt.Thread) *ssl.Session {
	c := ctxOf(th)
	if c.phase == PhaseInit {
		th.Errorf(noRequest)
	}
	if c.handshake == nil {
		return nil
	}
	return c.handshake.Session
}

func sslSessionID(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	if s == nil {
		return lib.Fail(th, "uninitialized session id len in lua context")
	}
	return rt.String(hex.EncodeToString(s.ID)), 1
}

func sslSerialized(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	if s == nil || s.Stored == nil {
		return lib.Fail(th, "bad session in lua context")
	}
	text, err := s.Stored.Bytes()
	switch {
	case err != nil:
		return lib.Fail(th, "failed to serialize session")
	case len(text) > sessionMax:
		return lib.Fail(th, "session too big to serialize")
	}
	return rt.String(string(text)), 1
}

func sslSetSerialized(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := sessionOf(th)
	state, err := tls.ParseSessionState([]byte(th.CheckString(args, 0)))
	if err != nil {
		return lib.Fail(th, "failed to de-serialize session")
	}
	if s != nil {
		s.Fetched = state
	}
	return rt.True, 1
}
