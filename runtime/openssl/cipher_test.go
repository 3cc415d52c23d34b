package openssl

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
)

// names are the OpenSSL names of suites, in the order of the table.
func names(ids []uint16) string {
	var list []string
	for _, s := range suites {
		for _, id := range ids {
			if id == s.id {
				list = append(list, s.name)
			}
		}
	}
	return strings.Join(list, " ")
}

// TestCipherSuites compares with testdata/ciphers.txt, which holds what
// `openssl ciphers -tls1_2 -s` of OpenSSL 3.0 says of each list, as far as
// crypto/tls has the suites. A list that selects none is an error there too.
func TestCipherSuites(t *testing.T) {
	data, err := os.ReadFile("testdata/ciphers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		list, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		if !ok {
			t.Fatalf("testdata/ciphers.txt: bad line %q", line)
		}
		ids, err := CipherSuites(list)
		if (err != nil) != (want == "") {
			t.Errorf("CipherSuites(%q): error %v", list, err)
		}
		if got := names(ids); got != want {
			t.Errorf("CipherSuites(%q)\n got %s\nwant %s", list, got, want)
		}
	}
}

func TestCurves(t *testing.T) {
	if ids, err := Curves("auto"); err != nil || ids != nil {
		t.Errorf("auto: %v %v", ids, err)
	}
	if ids, err := Curves("brainpoolP256r1:P-384:X25519"); err != nil || len(ids) != 2 || ids[0] != tls.CurveP384 {
		t.Errorf("a list with an unknown curve: %v %v", ids, err)
	}
	if _, err := Curves("sect163k1"); err == nil {
		t.Error("a list of unknown curves is accepted")
	}
}

func TestCommand(t *testing.T) {
	var cfg tls.Config
	for _, c := range [][2]string{{"MinProtocol", "TLSv1.2"}, {"MaxProtocol", "TLSv1.3"}, {"Options", "-SessionTicket,ServerPreference"},
		{"CipherString", "ECDHE+AESGCM"}, {"Curves", "P-256"},
		{"Ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"}} {
		if err := Command(&cfg, c[0], c[1]); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	if cfg.MinVersion != tls.VersionTLS12 || cfg.MaxVersion != tls.VersionTLS13 || !cfg.SessionTicketsDisabled ||
		len(cfg.CipherSuites) != 4 || len(cfg.CurvePreferences) != 1 {
		t.Errorf("configuration %+v", &cfg)
	}
	for _, c := range [][2]string{{"MinProtocol", "TLSv9"}, {"Options", "LegacyServerConnect"}, {"CipherString", "none"},
		{"Curves", "sect163k1"}, {"Ciphersuites", "TLS_AES_128_GCM_SHA256"}, {"VerifyMode", "Peer"}} {
		if err := Command(new(tls.Config), c[0], c[1]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestCipherName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
		{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
		{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
		{"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
		{"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
	}
	for _, tt := range tests {
		if got := CipherName(tt.name); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
