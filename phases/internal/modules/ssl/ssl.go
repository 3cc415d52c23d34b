// Package ssl is ngx_http_ssl_module: TLS of servers, its variables, and the check
// of clients' certificates.
package ssl

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// Module is ngx_http_ssl_module.
var Module = &core.Module{
	Name:       "ssl",
	Directives: directives,
	Variables:  variables,
	Conf:       []core.ConfSlot{Server},
	Build:      build,
	Finish:     finish,
}

// Server is what the ssl directives say to a server.
var Server = core.NewServerSlot(merge)

// Conf is what the ssl directives say to a server.
type Conf struct {
	on             core.Opt[bool]  // ssl, of older releases
	onAt           *conf.Directive // where that is written
	certificates   core.Opt[[]string]
	keys           core.Opt[[]string]
	Protocols      core.Opt[tlsclient.Versions]
	ciphers        core.Opt[string]
	curves         core.Opt[string]
	commands       [][2]string
	clientCA       core.Opt[string]
	trustedCA      core.Opt[string]
	crl            core.Opt[string]
	verifyClient   core.Opt[int]
	verifyDepth    core.Opt[int]
	sessionTickets core.Opt[bool]
	sessionTimeout core.Opt[time.Duration]
	ticketKeys     core.Opt[[]string]
	reject         core.Opt[bool]

	config   *tls.Config       // nil without certificates
	http2    *tls.Config       // the same for addresses that also speak HTTP/2
	verifier *openssl.Verifier // of client certificates

	// What ngx_lua puts into handshakes, nil normally; an error ends them
	// (SSL_CTX_set_client_hello_cb and its kin).
	OnClientHello, OnCertificate, OnSessionStore, OnSessionFetch func(*Handshake) error
}

// directives are the directives of ngx_http_ssl_module. Those that tune
// OpenSSL alone are accepted without effect; stapling, whose want a client hardly
// notices, with a warning.
func directives() []core.Directive {
	const where = core.InHTTP | core.InServer
	word := func(f func(t *Conf) *core.Opt[string]) core.Setter { return core.SetText(core.In(Server, f)) }
	list := []core.Directive{
		{Name: "ssl", In: where, Args: core.TakeFlag, Set: setSSL},
		{Name: "ssl_certificate", In: where, Args: core.Take1, Set: addFile(func(t *Conf) *core.Opt[[]string] { return &t.certificates })},
		{Name: "ssl_certificate_key", In: where, Args: core.Take1, Set: addFile(func(t *Conf) *core.Opt[[]string] { return &t.keys })},
		{Name: "ssl_password_file", In: where, Args: core.Take1, Set: core.Refused("keys with a password")},
		{Name: "ssl_protocols", In: where, Args: core.TakeMore1, Set: setProtocols},
		{Name: "ssl_ciphers", In: where, Args: core.Take1, Set: word(func(t *Conf) *core.Opt[string] { return &t.ciphers })},
		{Name: "ssl_client_certificate", In: where, Args: core.Take1, Set: word(func(t *Conf) *core.Opt[string] { return &t.clientCA })},
		{Name: "ssl_trusted_certificate", In: where, Args: core.Take1, Set: word(func(t *Conf) *core.Opt[string] { return &t.trustedCA })},
		{Name: "ssl_verify_client", In: where, Args: core.Take1, Set: core.SetEnum(core.In(Server, func(t *Conf) *core.Opt[int] { return &t.verifyClient }),
			"off", "on", "optional", "optional_no_ca")},
		{Name: "ssl_verify_depth", In: where, Args: core.Take1, Set: core.SetNumber(core.In(Server, func(t *Conf) *core.Opt[int] { return &t.verifyDepth }))},
		{Name: "ssl_session_tickets", In: where, Args: core.TakeFlag, Set: core.SetFlag(core.In(Server, func(t *Conf) *core.Opt[bool] { return &t.sessionTickets }))},
		{Name: "ssl_reject_handshake", In: where, Args: core.TakeFlag, Set: core.SetFlag(core.In(Server, func(t *Conf) *core.Opt[bool] { return &t.reject }))},
		{Name: "ssl_crl", In: where, Args: core.Take1, Set: word(func(t *Conf) *core.Opt[string] { return &t.crl })},
		{Name: "ssl_ecdh_curve", In: where, Args: core.Take1, Set: word(func(t *Conf) *core.Opt[string] { return &t.curves })},
		{Name: "ssl_session_timeout", In: where, Args: core.Take1, Set: core.SetSec(core.In(Server, func(t *Conf) *core.Opt[time.Duration] { return &t.sessionTimeout }))},
		{Name: "ssl_session_ticket_key", In: where, Args: core.Take1, Set: addFile(func(t *Conf) *core.Opt[[]string] { return &t.ticketKeys })},
		{Name: "ssl_conf_command", In: where, Args: core.Take2, Set: func(c *core.Compiler, d *conf.Directive) error {
			t := Server.At(c)
			t.commands = append(t.commands, [2]string{d.Args[0], d.Args[1]})
			return nil
		}},
		{Name: "ssl_ocsp", In: where, Args: core.Take1, Set: setOCSP},
		{Name: "ssl_ocsp_cache", In: where, Args: core.Take1, Set: core.Ignored},
		{Name: "ssl_ocsp_responder", In: where, Args: core.Take1, Set: core.Ignored},
	}
	// What crypto/tls decides for itself.
	list = append(list,
		core.Directive{Name: "ssl_buffer_size", In: where, Args: core.Take1, Set: core.DiscardSize("ssl_buffer_size")},
		core.Directive{Name: "ssl_session_cache", In: where, Args: core.Take12, Set: checkSessionCache})
	for _, name := range []string{"ssl_prefer_server_ciphers", "ssl_dhparam", "ssl_early_data"} {
		list = append(list, core.Directive{Name: name, In: where, Args: core.Take12, Set: core.Ignored})
	}
	for _, name := range []string{"ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder", "ssl_stapling_verify"} {
		list = append(list, core.Directive{Name: name, In: where, Args: core.Take12, Set: core.Inert})
	}
	return list
}

// checkSessionCache reads ssl_session_cache off, none, or any of builtin, builtin:N
// and shared:NAME:SIZE. Sessions travel in tickets here.
func checkSessionCache(c *core.Compiler, d *conf.Directive) error {
	for _, arg := range d.Args {
		kind, rest, given := strings.Cut(arg, ":")
		ok := !given && (kind == "off" || kind == "none" || kind == "builtin")
		switch {
		case kind == "builtin" && given:
			_, ok = ngxtext.ParseDecimal(rest)
		case kind == "shared":
			name, text, _ := strings.Cut(rest, ":")
			size, good := ngxtext.ParseSize(text, false)
			if ok = good && name != ""; ok && size < core.MinZone {
				return fmt.Errorf("session cache \"%s\" is too small", arg)
			}
			if ok {
				if _, err := c.Zone("ssl", name, size); err != nil {
					return err
				}
			}
		}
		if !ok {
			return fmt.Errorf("invalid session cache \"%s\"", arg)
		}
	}
	return nil
}

// setSSL reads ssl, which listen ... ssl has replaced.
func setSSL(c *core.Compiler, d *conf.Directive) error {
	t := Server.At(c)
	if err := core.SetFlag(core.In(Server, func(t *Conf) *core.Opt[bool] { return &t.on }))(c, d); err != nil {
		return err
	}
	t.onAt = d
	c.Warnf(d, "the \"ssl\" directive is deprecated, use the \"listen ... ssl\" directive instead")
	return nil
}

// merge inherits what a server does not say.
func merge(t, outer *Conf, _ bool) {
	if t.on.Merge(outer.on, false); t.onAt == nil {
		t.onAt = outer.onAt
	}
	t.certificates.Merge(outer.certificates, nil)
	t.keys.Merge(outer.keys, nil)
	t.Protocols.Merge(outer.Protocols, tlsclient.Versions{Min: tls.VersionTLS12, Max: tls.VersionTLS13})
	t.ciphers.Merge(outer.ciphers, "HIGH:!aNULL:!MD5")
	t.curves.Merge(outer.curves, "auto")
	if t.commands == nil {
		t.commands = outer.commands
	}
	t.crl.Merge(outer.crl, "")
	t.clientCA.Merge(outer.clientCA, "")
	t.trustedCA.Merge(outer.trustedCA, "")
	t.verifyClient.Merge(outer.verifyClient, verifyOff)
	t.verifyDepth.Merge(outer.verifyDepth, 1)
	t.sessionTickets.Merge(outer.sessionTickets, true)
	t.sessionTimeout.Merge(outer.sessionTimeout, 5*time.Minute)
	t.ticketKeys.Merge(outer.ticketKeys, nil)
	t.reject.Merge(outer.reject, false)
}

// addFile stores one more certificate or key: a server may have several, of
// different kinds.
func addFile(field func(t *Conf) *core.Opt[[]string]) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		f := field(Server.At(c))
		f.V, f.Set = append(f.V, d.Args[0]), true
		return nil
	}
}

func setProtocols(c *core.Compiler, d *conf.Directive) error {
	return tlsclient.PutProtocols(&Server.At(c).Protocols, d.Args)
}

// build makes the configuration of a server. Whether it has one interests
// ngx_lua's hooks, which are there already.
func build(b *core.Builder, l *core.Location) {
	if !l.IsServer() {
		return
	}
	t := Server.Of(l.Server)
	if err := t.build(b.Compiler); err != nil {
		if err = b.Outside(err); err != nil {
			b.Fail(err)
			return
		}
		t.config = &tls.Config{}
	}
	if t.config == nil && (t.OnCertificate != nil || t.OnClientHello != nil) {
		b.Fail(&conf.Error{Msg: "no ssl configured for the server"})
	}
}

// finish checks that addresses for TLS have certificates.
func finish(c *core.Compiler) error {
	for _, l := range c.Cycle.Listens {
		t := Server.Of(l.Default)
		l.TLS = l.TLS || t.on.V
		if l.TLS && t.config == nil && !t.reject.V {
			return l.Default.Block.Errorf("no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive")
		}
	}
	return nil
}

// build makes the configuration of one server for package tls.
func (t *Conf) build(c *core.Compiler) error {
	if len(t.certificates.V) == 0 {
		if t.on.V && !t.reject.V {
			return t.onAt.Errorf(`no "ssl_certificate" is defined for the "ssl" directive`)
		}
		return nil
	}
	if len(t.keys.V) == 0 && t.on.V {
		return t.onAt.Errorf(`no "ssl_certificate_key" is defined for the "ssl" directive`)
	}
	if len(t.keys.V) < len(t.certificates.V) {
		return &conf.Error{Msg: fmt.Sprintf(`no "ssl_certificate_key" is defined for certificate "%s"`,
			t.certificates.V[len(t.keys.V)])}
	}
	config := &tls.Config{
		MinVersion:             t.Protocols.V.Min,
		MaxVersion:             t.Protocols.V.Max,
		SessionTicketsDisabled: !t.sessionTickets.V,
		NextProtos:             []string{"http/1.1"},
	}
	var err error
	if config.CipherSuites, err = openssl.CipherSuites(t.ciphers.V); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if config.CurvePreferences, err = openssl.Curves(t.curves.V); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	for i, path := range t.certificates.V {
		pair, err := tlsclient.LoadKeyPair(c.FullConfPath(path), c.FullConfPath(t.keys.V[i]))
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
	if err := tlsclient.RunCommands(config, t.commands); err != nil {
		return err
	}
	t.config = config
	t.http2 = config.Clone()
	t.http2.NextProtos = []string{"h2", "http/1.1"}
	return nil
}
