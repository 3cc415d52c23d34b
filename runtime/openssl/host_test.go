package openssl

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"strings"
	"testing"
)

// TestMatchesHost compares with testdata/hosts.txt: alternative names, common
// names and a host on each line, and whether `openssl x509 -checkhost` of OpenSSL
// 3.0 says that they match.
func TestMatchesHost(t *testing.T) {
	data, err := os.ReadFile("testdata/hosts.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 4 {
			t.Fatalf("testdata/hosts.txt: bad line %q", line)
		}
		c := new(x509.Certificate)
		for _, name := range strings.Split(f[0], ",") {
			if name != "-" && !strings.Contains(name, ":") {
				c.DNSNames = append(c.DNSNames, name)
			}
		}
		for _, name := range strings.Split(f[1], ",") {
			c.Subject.Names = append(c.Subject.Names, pkix.AttributeTypeAndValue{Type: oidCommonName, Value: name})
		}
		if got := MatchesHost(c, f[2]); got != (f[3] == "yes") {
			t.Errorf("%s: got %v", line, got)
		}
	}
}
