package phases

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"sync/atomic"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// An sslConnection is what a connection keeps of its TLS (ngx_connection_t.ssl).
type sslConnection struct {
	state   func() tls.ConnectionState    // nil until the handshake is over
	verdict atomic.Pointer[clientVerdict] // on the client's certificate, once asked for
	data    any                           // what the hooks keep (SSL_set_ex_data)
}

// sslDownstream is a Downstream whose client may speak TLS.
type sslDownstream interface {
	// SSL is nil when it does not.
	SSL() *sslConnection
}

// sslConnectionOf is the TLS of a request's connection, nil for none.
func sslConnectionOf(r *Request) *sslConnection {
	if c, ok := r.downstream().(sslDownstream); ok {
		return c.SSL()
	}
	return nil
}

// sslState is the state of a request's TLS connection.
func sslState(r *Request) (tls.ConnectionState, bool) {
	if s := sslConnectionOf(r); s != nil && s.state != nil {
		return s.state(), true
	}
	return tls.ConnectionState{}, false
}

// An sslHandshake is a handshake with a client, as what ngx_lua puts in sees it.
type sslHandshake struct {
	cycle  *Cycle
	listen *Listen
	conn   Downstream
	ssl    *sslConnection
	log    errlog.Logger // of the address's default server

	server *Server // whose hook is called
	hello  *tls.ClientHelloInfo

	// What hooks set.
	versions tlsVersions // in place of ssl_protocols
	chain    [][]byte    // in place of the configured certificate, in DER
	key      crypto.PrivateKey
	cleared  bool // the configured certificates do not count

	version uint16 // that both sides speak, for the session hooks
	session *sslSession
}

// An sslSession is the session that a hook is called for.
type sslSession struct {
	id      []byte
	stored  *tls.SessionState // for onSessionStore
	fetched *tls.SessionState // set by onSessionFetch
}

// errRejected ends handshakes for servers with ssl_reject_handshake.
var errRejected = errors.New("handshake rejected")

// configFor is the configuration for a client: that of the server it names. The
// hello hook is the default server's, as the name is not known before it.
func (h *sslHandshake) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h.hello, h.server = hello, h.listen.Default
	first := sslServer.of(h.server)
	if hook := first.onClientHello; hook != nil {
		if err := hook(h); err != nil {
			return nil, err
		}
	}
	h.server = h.listen.FindServer(new(Request), lowerString(hello.ServerName))
	own := sslServer.of(h.server)
	if own.reject.v {
		return nil, errRejected
	}
	from := own
	if from.config == nil {
		from = first
	}
	if from.config == nil {
		return nil, errRejected
	}
	config := from.config
	if h.listen.HTTP2 {
		config = from.http2
	}
	if h.versions.max != 0 {
		config = config.Clone()
		config.MinVersion, config.MaxVersion = h.versions.min, h.versions.max
	}
	config = h.withSessions(own, config)
	// Without certificates of its own, those of the default server must not go out
	// past that one's hook.
	hook := own.onCertificate
	if hook == nil && own.config == nil {
		hook = first.onCertificate
	}
	return h.withCertificate(hook, config), nil
}

// withCertificate gives the configuration whose certificate a hook may choose.
func (h *sslHandshake) withCertificate(hook func(*sslHandshake) error, config *tls.Config) *tls.Config {
	if hook == nil {
		return config
	}
	configured := config.Certificates
	config = config.Clone()
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.hello = hello
		if err := hook(h); err != nil {
			return nil, err
		}
		return h.certificate(configured)
	}
	return config
}

// certificate is the certificate for the client: what the hook has set, or one
// of the configured ones.
func (h *sslHandshake) certificate(configured []tls.Certificate) (*tls.Certificate, error) {
	if len(h.chain) > 0 && h.key != nil {
		return &tls.Certificate{Certificate: h.chain, PrivateKey: h.key}, nil
	}
	if h.cleared || len(configured) == 0 {
		return nil, errors.New("SSL: error:0A0000C1:SSL routines::no shared cipher")
	}
	for i := range configured {
		if h.hello.SupportsCertificate(&configured[i]) == nil {
			return &configured[i], nil
		}
	}
	return &configured[0], nil
}

// sslSessionIDLen is the length of a session's id, in bytes.
const sslSessionIDLen = 32

// withSessions gives the configuration whose sessions hooks store and fetch. As
// with OpenSSL they are those of TLS 1.2 and of servers with ssl_session_tickets
// off; with a newer version the hooks learn that. Package tls has no cache of
// sessions by id, so the id travels as the client's ticket: what the hooks see is
// the same.
func (h *sslHandshake) withSessions(own *sslConf, config *tls.Config) *tls.Config {
	store, fetch := own.onSessionStore, own.onSessionFetch
	if store == nil && fetch == nil {
		return config
	}
	if h.version = h.agreed(config); h.version >= tls.VersionTLS13 {
		if store != nil {
			_ = store(h)
		}
		return config
	}
	if !config.SessionTicketsDisabled {
		return config
	}
	config = config.Clone()
	config.SessionTicketsDisabled = false
	config.WrapSession = func(_ tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
		if h.session != nil && h.session.fetched != nil { // resumed: not a new session
			return h.session.id, nil
		}
		id := make([]byte, sslSessionIDLen)
		if _, err := rand.Read(id); err != nil {
			return nil, err
		}
		h.session = &sslSession{id: id, stored: state}
		if store != nil {
			_ = store(h)
		}
		return id, nil
	}
	config.UnwrapSession = func(id []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
		if len(id) != sslSessionIDLen || fetch == nil {
			return nil, nil
		}
		h.session = &sslSession{id: id}
		_ = fetch(h)
		return h.session.fetched, nil
	}
	return config
}

// agreed is the protocol version that the handshake will agree on, 0 for none.
func (h *sslHandshake) agreed(config *tls.Config) (best uint16) {
	for _, v := range h.hello.SupportedVersions {
		if v >= config.MinVersion && v <= config.MaxVersion {
			best = max(best, v)
		}
	}
	return best
}
