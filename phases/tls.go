package phases

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// serverTLS is what the ssl directives say to a server.
type serverTLS struct {
	certificates   opt[[]string]
	keys           opt[[]string]
	passwords      opt[string]
	protocols      opt[tlsVersions]
	ciphers        opt[string]
	clientCA       opt[string]
	trustedCA      opt[string]
	verifyClient   opt[int]
	verifyDepth    opt[int]
	sessionTickets opt[bool]
	reject         opt[bool]

	config *tls.Config    // nil without certificates
	http2  *tls.Config    // the same for addresses that also speak HTTP/2
	roots  *x509.CertPool // for client certificates
}

// tlsVersions is a range of protocol versions.
type tlsVersions struct{ min, max uint16 }

// values of ssl_verify_client
const (
	verifyOff = iota
	verifyOn
	verifyOptional
	verifyOptionalNoCA
)

// sslDirectives are the directives of ngx_http_ssl_module. Those that tune
// OpenSSL alone are accepted without effect.
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
		{"ssl_crl", in, take1, refused("lists of revoked client certificates")},
		{"ssl_conf_command", in, take2, inert},
	}
	// What crypto/tls decides for itself.
	for _, name := range []string{"ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout",
		"ssl_dhparam", "ssl_ecdh_curve", "ssl_buffer_size", "ssl_early_data"} {
		list = append(list, directive{name, in, take12, ignored})
	}
	for _, name := range []string{"ssl_session_ticket_key", "ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder",
		"ssl_stapling_verify", "ssl_ocsp", "ssl_ocsp_cache", "ssl_ocsp_responder"} {
		list = append(list, directive{name, in, take12, inert})
	}
	return list
}

func (t *serverTLS) merge(outer *serverTLS) {
	t.certificates.merge(outer.certificates, nil)
	t.keys.merge(outer.keys, nil)
	t.protocols.merge(outer.protocols, tlsVersions{tls.VersionTLS12, tls.VersionTLS13})
	t.ciphers.merge(outer.ciphers, "HIGH:!aNULL:!MD5")
	t.clientCA.merge(outer.clientCA, "")
	t.trustedCA.merge(outer.trustedCA, "")
	t.verifyClient.merge(outer.verifyClient, verifyOff)
	t.verifyDepth.merge(outer.verifyDepth, 1)
	t.sessionTickets.merge(outer.sessionTickets, true)
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

// tlsVersionNames are the words of ssl_protocols. What is older than TLS 1.0 does
// not exist here.
var tlsVersionNames = map[string]uint16{
	"SSLv2": 0, "SSLv3": 0, "TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11,
	"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

func setTLSProtocols(c *compiler, d *conf.Directive) error {
	var v tlsVersions
	for _, arg := range d.Args {
		version, ok := tlsVersionNames[arg]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
		if version == 0 {
			continue
		}
		if v.min == 0 || version < v.min {
			v.min = version
		}
		v.max = max(v.max, version)
	}
	return c.srv.tls.protocols.put(v)
}

// buildTLS loads the certificates of all servers.
func (c *compiler) buildTLS() error {
	for _, s := range c.cycle.Servers {
		if err := s.tls.build(c); err != nil {
			return err
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
		CipherSuites:           cipherSuites(t.ciphers.v),
		SessionTicketsDisabled: !t.sessionTickets.v,
	}
	for i, path := range t.certificates.v {
		pair, err := loadKeyPair(c.fullConfPath(path), c.fullConfPath(t.keys.v[i]))
		if err != nil {
			return err
		}
		config.Certificates = append(config.Certificates, pair)
	}
	if t.verifyClient.v != verifyOff {
		// The certificate is looked at after the handshake, as a bad one is
		// answered with an error page (statuses 495 and 496).
		config.ClientAuth = tls.RequestClientCert
		t.roots = x509.NewCertPool()
		for _, path := range []string{t.clientCA.v, t.trustedCA.v} {
			if path == "" {
				continue
			}
			text, err := os.ReadFile(c.fullConfPath(path))
			if err != nil || !t.roots.AppendCertsFromPEM(text) {
				return &conf.Error{Msg: fmt.Sprintf(`SSL_CTX_load_verify_locations("%s") failed`, c.fullConfPath(path))}
			}
		}
	}
	// One key for all copies of the configuration, so that sessions are resumed.
	var ticketKey [32]byte
	if _, err := rand.Read(ticketKey[:]); err != nil {
		return err
	}
	config.SetSessionTicketKeys([][32]byte{ticketKey})
	config.NextProtos = []string{"http/1.1"}
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

// loadKeyPair reads a certificate chain and its key.
func loadKeyPair(certPath, keyPath string) (tls.Certificate, error) {
	certText, err := readPEM("certificate", certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := readPEM("certificate key", keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		err = &conf.Error{Msg: fmt.Sprintf(`SSL_CTX_use_PrivateKey("%s") failed (%v)`, keyPath, err)}
	}
	return pair, err
}

func readPEM(what, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		_, reason, _ := strings.Cut(errText(err), ": ")
		return nil, &conf.Error{Msg: fmt.Sprintf(`cannot load %s "%s": BIO_new_file() failed (SSL: error:80000002:system library::%s:`+
			`calling fopen(%s, r) error:10000080:BIO routines::no such file)`, what, path, reason, path)}
	}
	if block, _ := pem.Decode(text); block == nil {
		return nil, &conf.Error{Msg: fmt.Sprintf(`cannot load %s "%s": PEM_read_bio_X509_AUX() failed `+
			`(SSL: error:0480006C:PEM routines::no start line)`, what, path)}
	}
	return text, nil
}

// cipherSuites are the suites that an OpenSSL cipher string names one by one, nil
// (what package tls thinks best) when it names only classes such as HIGH.
func cipherSuites(text string) []uint16 {
	var list []uint16
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		for _, s := range tls.CipherSuites() {
			if opensslCipher(s.Name) == name {
				list = append(list, s.ID)
			}
		}
	}
	return list
}

// opensslCipher is OpenSSL's name of a cipher suite; those of TLS 1.3 have one
// name only.
func opensslCipher(name string) string {
	exchange, cipher, ok := strings.Cut(strings.TrimPrefix(name, "TLS_"), "_WITH_")
	if !ok {
		return name
	}
	cipher = strings.Replace(cipher, "AES_", "AES", 1)
	cipher = strings.Replace(cipher, "_CBC_SHA", "_SHA", 1)
	cipher = strings.Replace(cipher, "POLY1305_SHA256", "POLY1305", 1)
	if exchange != "RSA" {
		cipher = exchange + "-" + cipher
	}
	return strings.ReplaceAll(cipher, "_", "-")
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
		return secure, nil
	case errors.As(err, &record) && record.Conn != nil:
		c.plain, replay.state = true, replayAgain
		return replay, nil
	case errors.Is(err, io.EOF):
		c.logHandshake(b, "peer closed connection in SSL handshake")
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
	if s.tls.config == nil {
		s = b.listen.Default
	}
	if s.tls.config == nil {
		return nil, errRejected
	}
	if b.listen.HTTP2 {
		return t.withScripts(b, s, s.tls.http2), nil
	}
	return t.withScripts(b, s, s.tls.config), nil
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

// tlsStatus is the status a request is refused with for its connection, 0 when
// all is well: 497 for plain HTTP, 495 and 496 for the client's certificate.
func (r *Request) tlsStatus() int {
	if !r.Listen.TLS {
		return 0
	}
	if c, ok := r.Conn.(*conn); ok && c.plain {
		r.Log(LogInfo, "client sent plain HTTP request to HTTPS port while reading client request headers")
		return 497
	}
	t := &r.Server.tls
	if t.verifyClient.v == verifyOff {
		return 0
	}
	switch verified := r.verifyClient(); {
	case verified == verifyNone && t.verifyClient.v == verifyOn:
		r.Log(LogInfo, "client sent no required SSL certificate while reading client request headers")
		return 496
	case strings.HasPrefix(verified, verifyFailed) && t.verifyClient.v != verifyOptionalNoCA:
		r.Log(LogInfo, "client SSL certificate verify error: ("+verified[len(verifyFailed):]+") while reading client request headers")
		return 495
	}
	return 0
}

// values of $ssl_client_verify
const (
	verifyNone    = "NONE"
	verifySuccess = "SUCCESS"
	verifyFailed  = "FAILED:"
)

// verifyClient checks the client's certificate.
func (r *Request) verifyClient() string {
	state, ok := r.tlsState()
	if !ok || len(state.PeerCertificates) == 0 {
		return verifyNone
	}
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	roots := r.Server.tls.roots
	if roots == nil {
		roots = x509.NewCertPool()
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return verifyFailed + verifyReason(err)
	}
	return verifySuccess
}

// verifyReason words why a certificate was not accepted as OpenSSL does.
func verifyReason(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired"
	case errors.As(err, &unknown) && unknown.Cert != nil && string(unknown.Cert.RawIssuer) == string(unknown.Cert.RawSubject):
		return "self-signed certificate"
	case errors.As(err, &unknown):
		return "unable to verify the first certificate"
	}
	return err.Error()
}

// tlsState is the state of the request's TLS connection.
func (r *Request) tlsState() (tls.ConnectionState, bool) {
	m := r
	if r.Main != nil {
		m = r.Main
	}
	switch c := m.Conn.(type) {
	case *conn:
		if secure, ok := c.output.nc.(*tls.Conn); ok {
			return secure.ConnectionState(), true
		}
	case *foreignConn:
		if c.req.TLS != nil {
			return *c.req.TLS, true
		}
	}
	return tls.ConnectionState{}, false
}
