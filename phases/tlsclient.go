package phases

import (
	"crypto/tls"
	"fmt"
	"slices"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// opensslModule is ngx_openssl_module: what the families of *_ssl_* directives have
// in common.
var opensslModule = &Module{
	name: "openssl",
	directives: func() []directive {
		return []directive{
			{"ssl_engine", inMain, take1, refused("keys in hardware cannot be used")},
		}
	},
	conf: []confSlot{tlsClientMain},
}

// tlsClientMain are the setups of a configuration, by what their directives say.
var tlsClientMain = newMainSlot[map[string]*tlsClientSetup](nil)

// tlsClient is what the directives of one family (lua_ssl_*, proxy_ssl_*) say
// about connections on which this server is the client.
type tlsClient struct {
	protocols   opt[tlsVersions]
	ciphers     opt[string]
	depth       opt[int]
	trusted     opt[string]
	crl         opt[string]
	certificate opt[string]
	key         opt[string]
	commands    [][2]string

	*tlsClientSetup // after build
}

// tlsClientSetup is what handshakes need. Locations that say the same share one.
type tlsClientSetup struct {
	config   *tls.Config // judges nothing by itself: see verifier
	verifier *openssl.Verifier
	sessions tls.ClientSessionCache
}

// tlsClientDirectives are the directives of a family by its prefix.
func tlsClientDirectives(prefix string, field func(c *compiler) *tlsClient) []directive {
	file := func(f func(t *tlsClient) *opt[string]) setter {
		return path(func(c *compiler) *opt[string] { return f(field(c)) })
	}
	return []directive{
		{prefix + "protocols", inHTTPSrvLoc, takeMore1, func(c *compiler, d *conf.Directive) error {
			return putProtocols(&field(c).protocols, d.Args)
		}},
		{prefix + "ciphers", inHTTPSrvLoc, take1, text(func(c *compiler) *opt[string] { return &field(c).ciphers })},
		{prefix + "verify_depth", inHTTPSrvLoc, take1, number(func(c *compiler) *opt[int] { return &field(c).depth })},
		{prefix + "trusted_certificate", inHTTPSrvLoc, take1, file(func(t *tlsClient) *opt[string] { return &t.trusted })},
		{prefix + "crl", inHTTPSrvLoc, take1, file(func(t *tlsClient) *opt[string] { return &t.crl })},
		{prefix + "certificate", inHTTPSrvLoc, take1, file(func(t *tlsClient) *opt[string] { return &t.certificate })},
		{prefix + "certificate_key", inHTTPSrvLoc, take1, file(func(t *tlsClient) *opt[string] { return &t.key })},
		{prefix + "password_file", inHTTPSrvLoc, take1, refused("keys with a password")},
		{prefix + "conf_command", inHTTPSrvLoc, take2, func(c *compiler, d *conf.Directive) error {
			t := field(c)
			t.commands = append(t.commands, [2]string{d.Args[0], d.Args[1]})
			return nil
		}},
	}
}

func (t *tlsClient) merge(outer *tlsClient) {
	t.protocols.merge(outer.protocols, tlsVersions{tls.VersionTLS12, tls.VersionTLS13})
	t.ciphers.merge(outer.ciphers, "DEFAULT")
	t.depth.merge(outer.depth, 1)
	t.trusted.merge(outer.trusted, "")
	t.crl.merge(outer.crl, "")
	t.certificate.merge(outer.certificate, "")
	t.key.merge(outer.key, "")
	if t.commands == nil {
		t.commands = outer.commands
	}
}

// build loads the files of a merged family, once for all locations that name the same.
func (t *tlsClient) build(c *compiler, prefix string) (err error) {
	key := fmt.Sprintf("%v", *t)
	known := tlsClientMain.at(c)
	if t.tlsClientSetup = (*known)[key]; t.tlsClientSetup != nil {
		return nil
	}
	if t.tlsClientSetup, err = t.setup(prefix); err != nil {
		return err
	}
	if *known == nil {
		*known = map[string]*tlsClientSetup{}
	}
	(*known)[key] = t.tlsClientSetup
	return nil
}

func (t *tlsClient) setup(prefix string) (*tlsClientSetup, error) {
	s := &tlsClientSetup{verifier: &openssl.Verifier{Depth: t.depth.v}, sessions: tls.NewLRUClientSessionCache(0)}
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: t.protocols.v.min, MaxVersion: t.protocols.v.max}
	s.config = cfg
	var err error
	if cfg.CipherSuites, err = openssl.CipherSuites(t.ciphers.v); err != nil {
		return nil, &conf.Error{Msg: err.Error()}
	}
	if s.verifier.Roots, err = loadTrusted(t.trusted.v); err != nil {
		return nil, err
	}
	if s.verifier.CRLs, err = loadCRLs(t.crl.v); err != nil {
		return nil, err
	}
	if t.certificate.v != "" {
		if t.key.v == "" {
			return nil, &conf.Error{Msg: fmt.Sprintf("no \"%scertificate_key\" is defined for certificate \"%s\"", prefix, t.certificate.v)}
		}
		pair, err := loadKeyPair(t.certificate.v, t.key.v)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return s, runCommands(cfg, t.commands)
}

// judge says what is wrong with an upstream's certificate, as nginx logs it.
func (s *tlsClientSetup) judge(state tls.ConnectionState, name string) error {
	certs := state.PeerCertificates
	if err := s.verifier.Verify(certs); err != nil {
		return fmt.Errorf("upstream SSL certificate verify error: (%d:%s)", err.Code, err.Text)
	}
	if !openssl.MatchesHost(certs[0], name) {
		return fmt.Errorf("upstream SSL certificate does not match \"%s\"", name)
	}
	return nil
}

// tlsVersions is a range of protocol versions.
type tlsVersions struct{ min, max uint16 }

// putProtocols stores the range of protocol versions that a directive names.
func putProtocols(field *opt[tlsVersions], names []string) error {
	var v tlsVersions
	for _, name := range names {
		version, ok := openssl.Versions[name]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", name)
		}
		if version != 0 && (v.min == 0 || version < v.min) {
			v.min = version
		}
		v.max = max(v.max, version)
	}
	if v.min == 0 {
		return fmt.Errorf("none of the protocols is supported")
	}
	for version := v.min; version <= v.max; version++ {
		if name := openssl.VersionName(version); !slices.Contains(names, name) {
			return fmt.Errorf("\"%s\" cannot be left out between two others", name)
		}
	}
	return field.put(v)
}

// runCommands carries out the *_ssl_conf_command directives of a level.
func runCommands(cfg *tls.Config, commands [][2]string) error {
	for _, command := range commands {
		if err := openssl.Command(cfg, command[0], command[1]); err != nil {
			return &conf.Error{Msg: err.Error()}
		}
	}
	return nil
}
