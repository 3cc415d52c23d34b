package phases

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// serverTLS is what the ssl directives say to a server.
type serverTLS struct {
	certificates   opt[[]string]
	keys           opt[[]string]
	passwords      opt[string]
	protocols      opt[tlsVersions]
	ciphers        opt[string]
	curves         opt[string]
	commands       [][2]string
	clientCA       opt[string]
	trustedCA      opt[string]
	crl            opt[string]
	verifyClient   opt[int]
	verifyDepth    opt[int]
	sessionTickets opt[bool]
	sessionTimeout opt[time.Duration]
	ticketKeys     opt[[]string]
	reject         opt[bool]

	config   *tls.Config       // nil without certificates
	http2    *tls.Config       // the same for addresses that also speak HTTP/2
	verifier *openssl.Verifier // of client certificates
}

// sslDirectives are the directives of ngx_http_ssl_module. Those that tune
// OpenSSL alone are accepted without effect; stapling, whose want a client hardly
// notices, with a warning.
func sslDirectives() []directive {
	const in = inHTTP | inServer
	server := func(f func(t *serverTLS) *opt[string]) setter {
		return text(srv(func(s *Server) *opt[string] { return f(&s.tls) }))
	}
	list := []directive{
		{"ssl_certificate", in, take1, addTLSFile(func(t *serverTLS) *opt[[]string] { return &t.certificates })},
		{"ssl_certificate_key", in, take1, addTLSFile(func(t *serverTLS) *opt[[]string] { return &t.keys })},
		{"ssl_password_file", in, take1, refused("keys with a password")},
		{"ssl_protocols", in, takeMore1, setTLSProtocols},
		{"ssl_ciphers", in, take1, server(func(t *serverTLS) *opt[string] { return &t.ciphers })},
		{"ssl_client_certificate", in, take1, server(func(t *serverTLS) *opt[string] { return &t.clientCA })},
		{"ssl_trusted_certificate", in, take1, server(func(t *serverTLS) *opt[string] { return &t.trustedCA })},
		{"ssl_verify_client", in, take1, enum(srv(func(s *Server) *opt[int] { return &s.tls.verifyClient }),
			"off", "on", "optional", "optional_no_ca")},
		{"ssl_verify_depth", in, take1, number(srv(func(s *Server) *opt[int] { return &s.tls.verifyDepth }))},
		{"ssl_session_tickets", in, takeFlag, onOff(srv(func(s *Server) *opt[bool] { return &s.tls.sessionTickets }))},
		{"ssl_reject_handshake", in, takeFlag, onOff(srv(func(s *Server) *opt[bool] { return &s.tls.reject }))},
		{"ssl_crl", in, take1, server(func(t *serverTLS) *opt[string] { return &t.crl })},
		{"ssl_ecdh_curve", in, take1, server(func(t *serverTLS) *opt[string] { return &t.curves })},
		{"ssl_session_timeout", in, take1, seconds(srv(func(s *Server) *opt[time.Duration] { return &s.tls.sessionTimeout }))},
		{"ssl_session_ticket_key", in, take1, addTLSFile(func(t *serverTLS) *opt[[]string] { return &t.ticketKeys })},
		{"ssl_conf_command", in, take2, func(c *compiler, d *conf.Directive) error {
			c.srv.tls.commands = append(c.srv.tls.commands, [2]string{d.Args[0], d.Args[1]})
			return nil
		}},
		{"ssl_ocsp", in, take1, setOCSP},
		{"ssl_ocsp_cache", in, take1, ignored},
		{"ssl_ocsp_responder", in, take1, ignored},
	}
	// What crypto/tls decides for itself.
	list = append(list,
		directive{"ssl_buffer_size", in, take1, discardSize("ssl_buffer_size")},
		directive{"ssl_session_cache", in, take12, checkSessionCache})
	for _, name := range []string{"ssl_prefer_server_ciphers", "ssl_dhparam", "ssl_early_data"} {
		list = append(list, directive{name, in, take12, ignored})
	}
	for _, name := range []string{"ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder", "ssl_stapling_verify"} {
		list = append(list, directive{name, in, take12, inert})
	}
	return list
}

// checkSessionCache reads ssl_session_cache off, none, or any of builtin, builtin:N
// and shared:NAME:SIZE. Sessions travel in tickets here.
func checkSessionCache(_ *compiler, d *conf.Directive) error {
	for _, arg := range d.Args {
		kind, rest, given := strings.Cut(arg, ":")
		ok := !given && (kind == "off" || kind == "none" || kind == "builtin")
		switch {
		case kind == "builtin" && given:
			_, ok = parseDecimal(rest)
		case kind == "shared":
			name, text, _ := strings.Cut(rest, ":")
			size, good := parseSize(text, false)
			if ok = good && name != ""; ok && size < minZone {
				return fmt.Errorf("session cache \"%s\" is too small", arg)
			}
		}
		if !ok {
			return fmt.Errorf("invalid session cache \"%s\"", arg)
		}
	}
	return nil
}

func (t *serverTLS) merge(outer *serverTLS) {
	t.certificates.merge(outer.certificates, nil)
	t.keys.merge(outer.keys, nil)
	t.protocols.merge(outer.protocols, tlsVersions{tls.VersionTLS12, tls.VersionTLS13})
	t.ciphers.merge(outer.ciphers, "HIGH:!aNULL:!MD5")
	t.curves.merge(outer.curves, "auto")
	if t.commands == nil {
		t.commands = outer.commands
	}
	t.crl.merge(outer.crl, "")
	t.clientCA.merge(outer.clientCA, "")
	t.trustedCA.merge(outer.trustedCA, "")
	t.verifyClient.merge(outer.verifyClient, verifyOff)
	t.verifyDepth.merge(outer.verifyDepth, 1)
	t.sessionTickets.merge(outer.sessionTickets, true)
	t.sessionTimeout.merge(outer.sessionTimeout, 5*time.Minute)
	t.ticketKeys.merge(outer.ticketKeys, nil)
	t.reject.merge(outer.reject, false)
}

// addTLSFile stores one more certificate or key: a server may have several, of
// different kinds.
func addTLSFile(field func(t *serverTLS) *opt[[]string]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(&c.srv.tls)
		f.v, f.set = append(f.v, d.Args[0]), true
		return nil
	}
}

func setTLSProtocols(c *compiler, d *conf.Directive) error {
	return putProtocols(&c.srv.tls.protocols, d.Args)
}

// buildTLS loads the certificates of all servers.
func (c *compiler) buildTLS() error {
	for _, s := range c.cycle.Servers {
		if err := s.tls.build(c); err != nil {
			if err = c.outside(err); err != nil {
				return err
			}
			s.tls.config = &tls.Config{}
		}
		if s.tls.config == nil && (luaHandlerOf(s.loc, PhaseSSLCert) != nil || luaHandlerOf(s.loc, PhaseSSLClientHello) != nil) {
			return &conf.Error{Msg: "no ssl configured for the server"}
		}
	}
	for _, l := range c.cycle.Listens {
		if t := &l.Default.tls; l.TLS && t.config == nil && !t.reject.v {
			return &conf.Error{Msg: `no "ssl_certificate" is defined for the "listen ... ssl" directive`}
		}
	}
	return nil
}

// build makes the configuration of one server for package tls.
func (t *serverTLS) build(c *compiler) error {
	if len(t.certificates.v) == 0 {
		return nil
	}
	if len(t.keys.v) < len(t.certificates.v) {
		return &conf.Error{Msg: fmt.Sprintf(`no "ssl_certificate_key" is defined for certificate "%s"`,
			t.certificates.v[len(t.keys.v)])}
	}
	config := &tls.Config{
		MinVersion:             t.protocols.v.min,
		MaxVersion:             t.protocols.v.max,
		SessionTicketsDisabled: !t.sessionTickets.v,
		NextProtos:             []string{"http/1.1"},
	}
	var err error
	if config.CipherSuites, err = openssl.CipherSuites(t.ciphers.v); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if config.CurvePreferences, err = openssl.Curves(t.curves.v); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	for i, path := range t.certificates.v {
		pair, err := loadKeyPair(c.fullConfPath(path), c.fullConfPath(t.keys.v[i]))
		if err != nil {
			return err
		}
		config.Certificates = append(config.Certificates, pair)
	}
	if err := t.buildVerifier(c, config); err != nil {
		return err
	}
	if err := t.buildSessions(c, config); err != nil {
		return err
	}
	if err := runCommands(config, t.commands); err != nil {
		return err
	}
	t.config = config
	t.http2 = config.Clone()
	t.http2.NextProtos = []string{"h2", "http/1.1"}
	return nil
}

// fullConfPath takes a path from the folder of the configuration file.
func (c *compiler) fullConfPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return c.opts.ConfPath[:strings.LastIndexByte(c.opts.ConfPath, '/')+1] + path
}

// errRejected ends handshakes for servers with ssl_reject_handshake.
var errRejected = errors.New("handshake rejected")

// handshake makes the connection a TLS one. A client that speaks plain HTTP gets
// a connection on which it can be told so.
func (c *conn) handshake(b *binding, nc net.Conn) (net.Conn, error) {
	if log := b.log(); log.Enabled(LogDebug) {
		log.Output(LogDebug, c.number, "reusable connection: 0")
	}
	replay := &replayConn{Conn: nc}
	secure := tls.Server(replay, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return c.tlsConfig(b, hello)
		},
	})
	_ = nc.SetDeadline(time.Now().Add(b.limits.HeaderTimeout))
	err := secure.Handshake()
	_ = nc.SetDeadline(time.Time{})
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		replay.first = nil
		if log := b.log(); log.Enabled(LogDebug) && secure.ConnectionState().DidResume {
			log.Output(LogDebug, c.number, "SSL reused session")
		}
		return secure, nil
	case errors.As(err, &record) && record.Conn != nil:
		c.plain, replay.state = true, replayAgain
		return replay, nil
	case errors.Is(err, io.EOF):
		c.logHandshake(b, "peer closed connection in SSL handshake")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.logHandshake(b, clientTimedOut)
	default:
		c.logHandshake(b, "SSL_do_handshake() failed ("+err.Error()+")")
	}
	return nil, err
}

func (c *conn) logHandshake(b *binding, what string) {
	if log := b.log(); log.Enabled(LogInfo) {
		host, _ := splitAddr(c.RemoteAddr().String())
		log.Output(LogInfo, c.number, what+" while SSL handshaking, client: "+host+", server: "+c.owner.addr)
	}
}

// tlsConfig is the configuration for a client: that of the server it names. The
// hello phase belongs to the address's default server, as the name is not known
// before it.
func (c *conn) tlsConfig(b *binding, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	t := &tlsHandshake{conn: c, hello: hello}
	if !t.run(b, b.listen.Default, PhaseSSLClientHello) {
		return nil, errHelloPhase
	}
	s := b.listen.FindServer(new(Request), lowerString(hello.ServerName))
	if s.tls.reject.v {
		return nil, errRejected
	}
	own := &s.tls
	if own.config == nil {
		own = &b.listen.Default.tls
	}
	if own.config == nil {
		return nil, errRejected
	}
	if b.listen.HTTP2 {
		return t.withScripts(b, s, own.http2), nil
	}
	return t.withScripts(b, s, own.config), nil
}

// replayConn remembers what was read first, in case that was no TLS and has to
// be read again.
type replayConn struct {
	net.Conn
	first []byte
	state replayState
}

type replayState int

const (
	replayRecord replayState = iota // the next read is the first
	replayPass
	replayAgain // first is to be read again
)

// Read implements net.Conn.
func (p *replayConn) Read(b []byte) (int, error) {
	switch p.state {
	case replayRecord:
		n, err := p.Conn.Read(b)
		p.first, p.state = append(p.first, b[:n]...), replayPass
		return n, err
	case replayAgain:
		if len(p.first) == 0 {
			p.first, p.state = nil, replayPass
			break
		}
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite shuts our side of the connection down.
func (p *replayConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// downstream is the client's connection, also before the request is set up.
func (r *Request) downstream() Downstream {
	if r.Main != nil {
		return r.Main.Conn
	}
	return r.Conn
}

// tlsState is the state of the request's TLS connection.
func (r *Request) tlsState() (tls.ConnectionState, bool) {
	switch c := r.downstream().(type) {
	case overConn:
		if secure, ok := c.transport().output.nc.(*tls.Conn); ok {
			return secure.ConnectionState(), true
		}
	case *foreignConn:
		if c.req.TLS != nil {
			return *c.req.TLS, true
		}
	}
	return tls.ConnectionState{}, false
}
