package phases

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// sslModule is ngx_http_ssl_module.
var sslModule = &Module{
	name:       "ssl",
	directives: sslDirectives,
	variables:  sslVariables,
	conf:       []confSlot{sslServer},
	build:      buildSSL,
	finish:     finishSSL,
}

var sslServer = newServerSlot(mergeSSL)

// sslConf is what the ssl directives say to a server.
type sslConf struct {
	certificates   opt[[]string]
	keys           opt[[]string]
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

	// What ngx_lua puts into handshakes, nil normally; an error ends them
	// (SSL_CTX_set_client_hello_cb and its kin).
	onClientHello, onCertificate, onSessionStore, onSessionFetch func(*sslHandshake) error
}

// sslDirectives are the directives of ngx_http_ssl_module. Those that tune
// OpenSSL alone are accepted without effect; stapling, whose want a client hardly
// notices, with a warning.
func sslDirectives() []directive {
	const where = inHTTP | inServer
	word := func(f func(t *sslConf) *opt[string]) setter { return text(in(sslServer, f)) }
	list := []directive{
		{"ssl_certificate", where, take1, addTLSFile(func(t *sslConf) *opt[[]string] { return &t.certificates })},
		{"ssl_certificate_key", where, take1, addTLSFile(func(t *sslConf) *opt[[]string] { return &t.keys })},
		{"ssl_password_file", where, take1, refused("keys with a password")},
		{"ssl_protocols", where, takeMore1, setTLSProtocols},
		{"ssl_ciphers", where, take1, word(func(t *sslConf) *opt[string] { return &t.ciphers })},
		{"ssl_client_certificate", where, take1, word(func(t *sslConf) *opt[string] { return &t.clientCA })},
		{"ssl_trusted_certificate", where, take1, word(func(t *sslConf) *opt[string] { return &t.trustedCA })},
		{"ssl_verify_client", where, take1, enum(in(sslServer, func(t *sslConf) *opt[int] { return &t.verifyClient }),
			"off", "on", "optional", "optional_no_ca")},
		{"ssl_verify_depth", where, take1, number(in(sslServer, func(t *sslConf) *opt[int] { return &t.verifyDepth }))},
		{"ssl_session_tickets", where, takeFlag, onOff(in(sslServer, func(t *sslConf) *opt[bool] { return &t.sessionTickets }))},
		{"ssl_reject_handshake", where, takeFlag, onOff(in(sslServer, func(t *sslConf) *opt[bool] { return &t.reject }))},
		{"ssl_crl", where, take1, word(func(t *sslConf) *opt[string] { return &t.crl })},
		{"ssl_ecdh_curve", where, take1, word(func(t *sslConf) *opt[string] { return &t.curves })},
		{"ssl_session_timeout", where, take1, seconds(in(sslServer, func(t *sslConf) *opt[time.Duration] { return &t.sessionTimeout }))},
		{"ssl_session_ticket_key", where, take1, addTLSFile(func(t *sslConf) *opt[[]string] { return &t.ticketKeys })},
		{"ssl_conf_command", where, take2, func(c *compiler, d *conf.Directive) error {
			t := sslServer.at(c)
			t.commands = append(t.commands, [2]string{d.Args[0], d.Args[1]})
			return nil
		}},
		{"ssl_ocsp", where, take1, setOCSP},
		{"ssl_ocsp_cache", where, take1, ignored},
		{"ssl_ocsp_responder", where, take1, ignored},
	}
	// What crypto/tls decides for itself.
	list = append(list,
		directive{"ssl_buffer_size", where, take1, discardSize("ssl_buffer_size")},
		directive{"ssl_session_cache", where, take12, checkSessionCache})
	for _, name := range []string{"ssl_prefer_server_ciphers", "ssl_dhparam", "ssl_early_data"} {
		list = append(list, directive{name, where, take12, ignored})
	}
	for _, name := range []string{"ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder", "ssl_stapling_verify"} {
		list = append(list, directive{name, where, take12, inert})
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

// mergeSSL inherits what a server does not say.
func mergeSSL(t, outer *sslConf, _ bool) {
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
func addTLSFile(field func(t *sslConf) *opt[[]string]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(sslServer.at(c))
		f.v, f.set = append(f.v, d.Args[0]), true
		return nil
	}
}

func setTLSProtocols(c *compiler, d *conf.Directive) error {
	return putProtocols(&sslServer.at(c).protocols, d.Args)
}

// buildSSL makes the configuration of a server. Whether it has one interests
// ngx_lua's hooks, which are there already.
func buildSSL(b *builder, l *Location) {
	if !l.isServer() {
		return
	}
	t := sslServer.of(l.server)
	if err := t.build(b.compiler); err != nil {
		if err = b.outside(err); err != nil {
			b.fail(err)
			return
		}
		t.config = &tls.Config{}
	}
	if t.config == nil && (t.onCertificate != nil || t.onClientHello != nil) {
		b.fail(&conf.Error{Msg: "no ssl configured for the server"})
	}
}

// finishSSL checks that addresses for TLS have certificates.
func finishSSL(c *compiler) error {
	for _, l := range c.cycle.Listens {
		if t := sslServer.of(l.Default); l.TLS && t.config == nil && !t.reject.v {
			return &conf.Error{Msg: `no "ssl_certificate" is defined for the "listen ... ssl" directive`}
		}
	}
	return nil
}

// build makes the configuration of one server for package tls.
func (t *sslConf) build(c *compiler) error {
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
