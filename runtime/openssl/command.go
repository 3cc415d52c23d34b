package openssl

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// Versions are the names of protocol versions in configurations. What is older
// than TLS 1.0 does not exist here.
var Versions = map[string]uint16{
	"SSLv2": 0, "SSLv3": 0, "TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11,
	"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

// VersionName is a version's name in configurations, "" for none.
func VersionName(v uint16) string {
	for name, version := range Versions {
		if version == v && v != 0 {
			return name
		}
	}
	return ""
}

// Command carries one command of SSL_CONF_cmd(3) out, as *_ssl_conf_command
// gives it. What crypto/tls cannot do is an error, never a silence.
func Command(cfg *tls.Config, name, value string) error {
	wrong := func(why string) error {
		return fmt.Errorf("SSL_CONF_cmd(\"%s\", \"%s\") failed: %s", name, value, why)
	}
	var err error
	switch lower(name) {
	case "minprotocol", "maxprotocol":
		version, ok := Versions[value]
		if !ok && value != "None" {
			return wrong("no such protocol")
		}
		if lower(name) == "minprotocol" {
			cfg.MinVersion = version
		} else {
			cfg.MaxVersion = version
		}
	case "cipherstring":
		cfg.CipherSuites, err = CipherSuites(value)
	case "ciphersuites":
		// crypto/tls speaks all suites of TLS 1.3 or none.
		for _, s := range tls.CipherSuites() {
			if slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}) && !slices.Contains(strings.Split(value, ":"), s.Name) {
				return wrong("the suites of TLS 1.3 cannot be limited, " + s.Name + " would remain")
			}
		}
	case "curves", "groups":
		cfg.CurvePreferences, err = Curves(value)
	case "options":
		for _, option := range strings.Split(value, ",") {
			if !setOption(cfg, strings.TrimSpace(option)) {
				return wrong("option " + option + " is not supported")
			}
		}
	default:
		return wrong("not supported")
	}
	return err
}

// setOption sets one word of the command Options.
func setOption(cfg *tls.Config, option string) bool {
	switch lower(option) {
	case "sessionticket":
		cfg.SessionTicketsDisabled = false
	case "-sessionticket":
		cfg.SessionTicketsDisabled = true
	case "serverpreference", "-serverpreference", "prioritizechacha", "-prioritizechacha", "norenegotiation":
		// crypto/tls weighs the suites itself and never renegotiates as a server.
	default:
		return false
	}
	return true
}
