// Package tlsclient is TLS where this server is the client: the *_ssl_* directives of a
// family (proxy_ssl_, lua_ssl_), what they load and how a peer is judged
// (ngx_event_openssl.c).
package tlsclient

import (
	"crypto/tls"
	"fmt"
	"slices"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// Module is ngx_openssl_module: what the families of *_ssl_* directives have
// in common.
var Module = &core.Module{
	Name: "openssl",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "ssl_engine", In: core.InMain, Args: core.Take1, Set: core.Refused("keys in hardware cannot be used")},
		}
	},
	Conf: []core.ConfSlot{setups},
}

// setups are the setups of a configuration, by what their directives say.
var setups = core.NewMainSlot[map[string]*Setup](nil)

// Client is what the directives of one family (lua_ssl_*, proxy_ssl_*) say
// about connections on which this server is the client.
type Client struct {
	protocols   core.Opt[Versions]
	ciphers     core.Opt[string]
	depth       core.Opt[int]
	Trusted     core.Opt[string]
	crl         core.Opt[string]
	certificate core.Opt[string]
	key         core.Opt[string]
	passwords   []string
	commands    [][2]string

	*Setup // after build
}

// Setup is what handshakes need. Locations that say the same share one.
type Setup struct {
	Config   *tls.Config // judges nothing by itself: see verifier
	Verifier *openssl.Verifier
	Sessions tls.ClientSessionCache
}

// Directives are the directives of a family by its prefix.
func Directives(prefix string, field func(c *core.Compiler) *Client) []core.Directive {
	file := func(f func(t *Client) *core.Opt[string]) core.Setter {
		return core.SetPath(func(c *core.Compiler) *core.Opt[string] { return f(field(c)) })
	}
	return append(PeerDirectives(prefix, field), []core.Directive{
		{Name: prefix + "certificate", In: core.InHTTPSrvLoc, Args: core.Take1, Set: file(func(t *Client) *core.Opt[string] { return &t.certificate })},
		{Name: prefix + "certificate_key", In: core.InHTTPSrvLoc, Args: core.Take1, Set: file(func(t *Client) *core.Opt[string] { return &t.key })},
		{Name: prefix + "password_file", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.Refused("keys with a password")},
	}...)
}

// PeerDirectives are those of them that do not say which certificate this server shows.
func PeerDirectives(prefix string, field func(c *core.Compiler) *Client) []core.Directive {
	file := func(f func(t *Client) *core.Opt[string]) core.Setter {
		return core.SetPath(func(c *core.Compiler) *core.Opt[string] { return f(field(c)) })
	}
	return []core.Directive{
		{Name: prefix + "protocols", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: func(c *core.Compiler, d *conf.Directive) error {
			return PutProtocols(&field(c).protocols, d.Args)
		}},
		{Name: prefix + "ciphers", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetText(func(c *core.Compiler) *core.Opt[string] { return &field(c).ciphers })},
		{Name: prefix + "verify_depth", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetNumber(func(c *core.Compiler) *core.Opt[int] { return &field(c).depth })},
		{Name: prefix + "trusted_certificate", In: core.InHTTPSrvLoc, Args: core.Take1, Set: file(func(t *Client) *core.Opt[string] { return &t.Trusted })},
		{Name: prefix + "crl", In: core.InHTTPSrvLoc, Args: core.Take1, Set: file(func(t *Client) *core.Opt[string] { return &t.crl })},
		{Name: prefix + "conf_command", In: core.InHTTPSrvLoc, Args: core.Take2, Set: func(c *core.Compiler, d *conf.Directive) error {
			t := field(c)
			t.commands = append(t.commands, [2]string{d.Args[0], d.Args[1]})
			return nil
		}},
	}
}

// Show makes the certificate in a file the one that this server shows.
func (t *Client) Show(certificate, key string, passwords []string) {
	t.certificate = core.Opt[string]{V: certificate, Set: true}
	t.key = core.Opt[string]{V: key, Set: true}
	t.passwords = passwords
}

// Trust makes what Verifier judges by what the files say only where somebody asks it:
// others need not be there.
func (t *Client) Trust(asked bool) {
	if !asked {
		t.Trusted.V, t.crl.V = "", ""
	}
}

// Merge takes over from the outer level what this one does not say, and puts in defaults.
func (t *Client) Merge(outer *Client) {
	t.protocols.Merge(outer.protocols, Versions{tls.VersionTLS12, tls.VersionTLS13})
	t.ciphers.Merge(outer.ciphers, "DEFAULT")
	t.depth.Merge(outer.depth, 1)
	t.Trusted.Merge(outer.Trusted, "")
	t.crl.Merge(outer.crl, "")
	t.certificate.Merge(outer.certificate, "")
	t.key.Merge(outer.key, "")
	if t.commands == nil {
		t.commands = outer.commands
	}
}

// Build loads the files of a merged family, once for all locations that name the same.
func (t *Client) Build(c *core.Compiler, prefix string) (err error) {
	key := fmt.Sprintf("%v", *t)
	known := setups.At(c)
	if t.Setup = (*known)[key]; t.Setup != nil {
		return nil
	}
	if t.Setup, err = t.setup(prefix); err != nil {
		return err
	}
	if *known == nil {
		*known = map[string]*Setup{}
	}
	(*known)[key] = t.Setup
	return nil
}

func (t *Client) setup(prefix string) (*Setup, error) {
	s := &Setup{Verifier: &openssl.Verifier{Depth: t.depth.V}, Sessions: tls.NewLRUClientSessionCache(0)}
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: t.protocols.V.Min, MaxVersion: t.protocols.V.Max}
	s.Config = cfg
	var err error
	if cfg.CipherSuites, err = openssl.CipherSuites(t.ciphers.V); err != nil {
		return nil, &conf.Error{Msg: err.Error()}
	}
	if s.Verifier.Roots, err = LoadTrusted(t.Trusted.V); err != nil {
		return nil, err
	}
	if s.Verifier.CRLs, err = LoadCRLs(t.crl.V); err != nil {
		return nil, err
	}
	if t.certificate.V != "" {
		if t.key.V == "" {
			return nil, &conf.Error{Msg: fmt.Sprintf("no \"%scertificate_key\" is defined for certificate \"%s\"", prefix, t.certificate.V)}
		}
		pair, err := LoadKeyPair(t.certificate.V, t.key.V, t.passwords...)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return s, RunCommands(cfg, t.commands)
}

// Judge says what is wrong with an upstream's certificate, as nginx logs it.
func (s *Setup) Judge(state tls.ConnectionState, name string) error {
	certs := state.PeerCertificates
	if err := s.Verifier.Verify(certs); err != nil {
		return fmt.Errorf("upstream SSL certificate verify error: (%d:%s)", err.Code, err.Text)
	}
	if !openssl.MatchesHost(certs[0], name) {
		return fmt.Errorf("upstream SSL certificate does not match \"%s\"", name)
	}
	return nil
}

// Versions is a range of protocol versions.
type Versions struct{ Min, Max uint16 }

// PutProtocols stores the range of protocol versions that a directive names.
func PutProtocols(field *core.Opt[Versions], names []string) error {
	var v Versions
	for _, name := range names {
		version, ok := openssl.Versions[name]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", name)
		}
		if version != 0 && (v.Min == 0 || version < v.Min) {
			v.Min = version
		}
		v.Max = max(v.Max, version)
	}
	if v.Min == 0 {
		return fmt.Errorf("none of the protocols is supported")
	}
	for version := v.Min; version <= v.Max; version++ {
		if name := openssl.VersionName(version); !slices.Contains(names, name) {
			return fmt.Errorf("\"%s\" cannot be left out between two others", name)
		}
	}
	return field.Put(v)
}

// RunCommands carries out the *_ssl_conf_command directives of a level.
func RunCommands(cfg *tls.Config, commands [][2]string) error {
	for _, command := range commands {
		if err := openssl.Command(cfg, command[0], command[1]); err != nil {
			return &conf.Error{Msg: err.Error()}
		}
	}
	return nil
}
