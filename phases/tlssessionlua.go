package phases

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"

	rt "github.com/moonphase/moonphase/runtime"
)

// The phases ssl_session_store and ssl_session_fetch keep the sessions of TLS 1.2
// clients outside the process. As with OpenSSL they are for servers with
// ssl_session_tickets off. Package tls has no cache of sessions by id, so the id
// travels as the client's ticket: what the scripts see is the same.

// sessionIDLen is the length of an id, in bytes; scripts see twice as many digits.
const sessionIDLen = 32

// sessionMax is how long a serialized session may be for scripts, in bytes.
const sessionMax = 4096

// luaSession is the session that the code of a phase works on.
type luaSession struct {
	id      []byte
	stored  *tls.SessionState // of ssl_session_store
	fetched *tls.SessionState // set by ssl_session_fetch
}

// withSessions gives the configuration for a handshake whose session scripts may
// store and fetch.
func (t *tlsHandshake) withSessions(b *binding, s *Server, config *tls.Config) *tls.Config {
	store, fetch := luaHandlerOf(s.loc, PhaseSSLSessionStore) != nil, luaHandlerOf(s.loc, PhaseSSLSessionFetch) != nil
	if !store && !fetch {
		return config
	}
	if version := t.version(config); version >= tls.VersionTLS13 {
		t.debug(b, fmt.Sprintf("ssl_session_store_by_lua*: skipped since TLS version >= 1.3 (%x)", version))
		return config
	}
	if !config.SessionTicketsDisabled {
		return config
	}
	config = config.Clone()
	config.SessionTicketsDisabled = false
	config.WrapSession = func(_ tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
		if t.session != nil && t.session.fetched != nil { // resumed: not a new session
			return t.session.id, nil
		}
		id := make([]byte, sessionIDLen)
		if _, err := rand.Read(id); err != nil {
			return nil, err
		}
		t.session = &luaSession{id: id, stored: state}
		t.run(b, s, PhaseSSLSessionStore)
		return id, nil
	}
	config.UnwrapSession = func(id []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
		if len(id) != sessionIDLen || !fetch {
			return nil, nil
		}
		t.session = &luaSession{id: id}
		t.run(b, s, PhaseSSLSessionFetch)
		return t.session.fetched, nil
	}
	return config
}

// version is the protocol version that the handshake will agree on, 0 for none.
func (t *tlsHandshake) version(config *tls.Config) (best uint16) {
	for _, v := range t.hello.SupportedVersions {
		if v >= config.MinVersion && v <= config.MaxVersion {
			best = max(best, v)
		}
	}
	return best
}

// ngxSSLSession is the module ngx.ssl.session.
var ngxSSLSession = lib{
	{"get_session_id", sslSessionID},
	{"get_serialized_session", sslSerialized},
	{"set_serialized_session", sslSetSerialized},
}

// sessionOf is the session of the running code, nil outside its phases.
func sessionOf(th *rt.Thread) *luaSession {
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
