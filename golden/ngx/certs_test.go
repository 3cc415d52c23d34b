package ngx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCerts makes the certificates that cases may name, below tls in the server's
// root, each with its key in NAME.key: root; inter, signed by it; san, cn (no DNS
// name), client (for clients only) and old (expired), signed by root; deep, signed
// by inter and followed by it; stranger, signed by itself; revoked, and the list
// root.crl that revokes it.
func writeCerts(t *testing.T, prefix string) {
	dir := filepath.Join(prefix, "tls")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	certs, keys := map[string]*x509.Certificate{}, map[string]*ecdsa.PrivateKey{}
	now := time.Now()
	write := func(name string, blocks ...*pem.Block) {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		name, by string
		change   func(c *x509.Certificate)
	}{
		{"root", "root", func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		}},
		{"inter", "root", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }},
		{"san", "root", func(c *x509.Certificate) { c.DNSNames = []string{"shop.test", "*.shop.test"} }},
		{"cn", "root", func(c *x509.Certificate) {}},
		{"client", "root", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }},
		{"old", "root", func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }},
		{"revoked", "root", func(c *x509.Certificate) {}},
		{"deep", "inter", func(c *x509.Certificate) {}},
		{"stranger", "stranger", func(c *x509.Certificate) {}},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: c.name + ".test"},
			NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
		c.change(template)
		parent, signer := template, key
		if c.by != c.name {
			parent, signer = certs[c.by], keys[c.by]
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		if certs[c.name], err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		keys[c.name] = key
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		chain := []*pem.Block{{Type: "CERTIFICATE", Bytes: der}}
		if c.by == "inter" {
			chain = append(chain, &pem.Block{Type: "CERTIFICATE", Bytes: certs["inter"].Raw})
		}
		write(c.name+".crt", chain...)
		write(c.name+".key", &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1),
		ThisUpdate: now.AddDate(0, 0, -1), NextUpdate: now.AddDate(0, 0, 1),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: certs["revoked"].SerialNumber, RevocationTime: now}},
	}, certs["root"], keys["root"])
	if err != nil {
		t.Fatal(err)
	}
	write("root.crl", &pem.Block{Type: "X509 CRL", Bytes: crl})
}
