package ssl

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// An Connection is what a connection keeps of its TLS (ngx_connection_t.ssl).
type Connection struct {
	State   func() tls.ConnectionState    // nil until the handshake is over
	verdict atomic.Pointer[clientVerdict] // on the client's certificate, once asked for
	Data    any                           // what the hooks keep (SSL_set_ex_data)

	// Verifier judges the client's certificate in place of the server's; nil when no
	// hook has asked for one.
	Verifier *openssl.Verifier

	// Randoms of client and server, and what ciphers the client offers.
	ClientRandom, ServerRandom [RandomLen]byte
	Offered                    []uint16
	AsksForStatus              bool                  // the client wants an OCSP response with the certificate
	Signatures                 []tls.SignatureScheme // that it takes from the server
}

// Downstream is a Downstream whose client may speak TLS.
type Downstream interface {
	// SSL is nil when it does not.
	SSL() *Connection
}

// ConnectionOf is the TLS of a request's connection, nil for none.
func ConnectionOf(r *core.Request) *Connection {
	d := r.Downstream()
	if d == nil || !d.TLS() {
		return nil
	}
	if c, ok := d.(Downstream); ok {
		return c.SSL()
	}
	return nil
}

// State is the state of a request's TLS connection.
func State(r *core.Request) (tls.ConnectionState, bool) {
	if s := ConnectionOf(r); s != nil && s.State != nil {
		return s.State(), true
	}
	return tls.ConnectionState{}, false
}

// An Handshake is a handshake with a client, as what ngx_lua puts in sees it.
type Handshake struct {
	Cycle  *core.Cycle
	Listen *core.Listen
	Conn   core.Downstream
	SSL    *Connection
	Log    errlog.Logger // of the address's default server

	Server *core.Server // whose hook is called
	Hello  *tls.ClientHelloInfo
	First  []byte // records that the client has sent so far

	// OffersHTTP2 tells whether clients of a server may choose HTTP/2; nil for no.
	OffersHTTP2 func(*core.Server) bool

	// What hooks set.
	Versions tlsclient.Versions // in place of ssl_protocols
	Chain    [][]byte           // in place of the configured certificate, in DER
	Key      crypto.PrivateKey
	Cleared  bool   // the configured certificates do not count
	Staple   []byte // an OCSP response, nil for none

	wantsClient bool           // the client is asked for its certificate
	clientCAs   *x509.CertPool // named to it

	Version uint16 // that both sides speak, for the session hooks
	Session *Session
}

// An Session is the session that a hook is called for.
type Session struct {
	ID      []byte
	Stored  *tls.SessionState // for OnSessionStore
	Fetched *tls.SessionState // set by OnSessionFetch
}

// errRejected ends handshakes for servers with ssl_reject_handshake.
var errRejected = errors.New("handshake rejected")

// ConfigFor is the configuration for a client: that of the server it names. The
// hello hook is the default server's, as the name is not known before it.
func (h *Handshake) ConfigFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h.Hello, h.Server = hello, h.Listen.Default
	h.SSL.Offered, h.SSL.Signatures = hello.CipherSuites, hello.SignatureSchemes
	h.SSL.AsksForStatus = slices.Contains(hello.Extensions, statusRequest)
	first := Server.Of(h.Server)
	if hook := first.OnClientHello; hook != nil {
		if err := hook(h); err != nil {
			return nil, err
		}
	}
	h.Server = h.Listen.FindServer(new(core.Request), ngxtext.Lower(hello.ServerName))
	own := Server.Of(h.Server)
	if own.reject.V {
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
	if h.OffersHTTP2 != nil && h.OffersHTTP2(h.Server) {
		config = from.http2
	}
	if h.Versions.Max != 0 {
		config = config.Clone()
		config.MinVersion, config.MaxVersion = h.Versions.Min, h.Versions.Max
	}
	config = h.withSessions(own, config)
	// Without certificates of its own, those of the default server must not go out
	// past that one's hook.
	hook := own.OnCertificate
	if hook == nil && own.config == nil {
		hook = first.OnCertificate
	}
	return h.withCertificate(hook, config), nil
}

// withCertificate gives the configuration whose certificate a hook may choose.
func (h *Handshake) withCertificate(hook func(*Handshake) error, config *tls.Config) *tls.Config {
	if hook == nil {
		return config
	}
	configured := config.Certificates
	config = config.Clone()
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.Hello = hello
		if err := hook(h); err != nil {
			return nil, err
		}
		if h.wantsClient { // the configuration is this handshake's own
			config.ClientAuth, config.ClientCAs = tls.RequestClientCert, h.clientCAs
		}
		return h.certificate(configured)
	}
	return config
}

// certificate is the certificate for the client: what the hook has set, or one
// of the configured ones.
func (h *Handshake) certificate(configured []tls.Certificate) (*tls.Certificate, error) {
	if len(h.Chain) > 0 && h.Key != nil {
		return &tls.Certificate{Certificate: h.Chain, PrivateKey: h.Key, OCSPStaple: h.Staple}, nil
	}
	if h.Staple != nil {
		configured = slices.Clone(configured)
		for i := range configured {
			configured[i].OCSPStaple = h.Staple
		}
	}
	if h.Cleared || len(configured) == 0 {
		return nil, errors.New("SSL: error:0A0000C1:SSL routines::no shared cipher")
	}
	for i := range configured {
		if h.Hello.SupportsCertificate(&configured[i]) == nil {
			return &configured[i], nil
		}
	}
	return &configured[0], nil
}

// VerifyClient asks the client for a certificate, of one of the named CAs if there are
// any, and lets by judge it: $ssl_client_verify tells what it said. It is for the
// certificate hook.
func (h *Handshake) VerifyClient(named []*x509.Certificate, by *openssl.Verifier) {
	h.wantsClient, h.clientCAs, h.SSL.Verifier = true, nil, by
	if len(named) > 0 {
		h.clientCAs = x509.NewCertPool()
		for _, ca := range named {
			h.clientCAs.AddCert(ca)
		}
	}
}

// SessionIDLen is the length of a session's id, in bytes.
const SessionIDLen = 32

// withSessions gives the configuration whose sessions hooks store and fetch. As
// with OpenSSL they are those of TLS 1.2 and of servers with ssl_session_tickets
// off; with a newer version the hooks learn that. Package tls has no cache of
// sessions by id, so the id travels as the client's ticket: what the hooks see is
// the same.
func (h *Handshake) withSessions(own *Conf, config *tls.Config) *tls.Config {
	store, fetch := own.OnSessionStore, own.OnSessionFetch
	if store == nil && fetch == nil {
		return config
	}
	if h.Version = h.agreed(config); h.Version >= tls.VersionTLS13 {
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
		if h.Session != nil && h.Session.Fetched != nil { // resumed: not a new session
			return h.Session.ID, nil
		}
		id := make([]byte, SessionIDLen)
		if _, err := rand.Read(id); err != nil {
			return nil, err
		}
		h.Session = &Session{ID: id, Stored: state}
		if store != nil {
			_ = store(h)
		}
		return id, nil
	}
	config.UnwrapSession = func(id []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
		if len(id) != SessionIDLen || fetch == nil {
			return nil, nil
		}
		h.Session = &Session{ID: id}
		_ = fetch(h)
		return h.Session.Fetched, nil
	}
	return config
}

// agreed is the protocol version that the handshake will agree on, 0 for none.
func (h *Handshake) agreed(config *tls.Config) (best uint16) {
	for _, v := range h.Hello.SupportedVersions {
		if v >= config.MinVersion && v <= config.MaxVersion {
			best = max(best, v)
		}
	}
	return best
}
