package ngxssl

import (
	"crypto/tls"
	"encoding/hex"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	rt "github.com/moonphase/moonphase/runtime"
)

// sessionMax is how long a serialized session may be for scripts, in bytes.
const sessionMax = 4096

// sessions is the module ngx.ssl.session, for the phases ssl_session_store and
// ssl_session_fetch, which keep the sessions of TLS 1.2 clients outside the process.
var sessions = lib.Functions{
	{"get_session_id", sessionID},
	{"get_serialized_session", serialized},
	{"set_serialized_session", setSerialized},
}

// sessionOf is the session of the running code, nil where there is none; failure is the
// error's text where there can be none.
func sessionOf(th *rt.Thread) (s *ssl.Session, failure string) {
	c := caller.Of(th)
	switch {
	case connectionOf(th) == nil:
		return nil, badRequest
	case c.Handshake == nil:
		return nil, "bad lua context"
	}
	return c.Handshake.Session, ""
}

func sessionID(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s, failure := sessionOf(th)
	switch {
	case failure != "":
		return lib.Fail(th, failure)
	case s == nil:
		return lib.Fail(th, "uninitialized session id len in lua context")
	}
	return rt.String(hex.EncodeToString(s.ID)), 1
}

func serialized(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
	s, failure := sessionOf(th)
	switch {
	case failure != "":
		return lib.Fail(th, failure)
	case s == nil || s.Stored == nil:
		return lib.Fail(th, "bad session in lua context")
	}
	text, err := s.Stored.Bytes()
	switch {
	case err != nil:
		return lib.Fail(th, "i2d_SSL_SESSION() failed")
	case len(text) > sessionMax:
		return lib.Fail(th, "session too big to serialize")
	}
	return rt.String(string(text)), 1
}

func setSerialized(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	text := th.CheckString(args, 0)
	s, failure := sessionOf(th)
	if failure == badRequest {
		return lib.Fail(th, failure)
	}
	state, err := tls.ParseSessionState([]byte(text))
	switch {
	case err != nil:
		return lib.Fail(th, "failed to de-serialize session")
	case failure != "":
		return lib.Fail(th, failure)
	case s != nil:
		s.Fetched = state
	}
	return rt.True, 1
}
