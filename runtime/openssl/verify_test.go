package openssl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

// A pki makes certificates and remembers them with their keys by name.
type pki struct {
	t     *testing.T
	certs map[string]*x509.Certificate
	keys  map[string]*ecdsa.PrivateKey
	now   time.Time
}

// make makes a certificate signed by another, or by itself; change sees the template.
func (p *pki) make(name, by string, change func(c *x509.Certificate)) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(int64(len(p.certs) + 1)), Subject: pkix.Name{CommonName: name},
		NotBefore: p.now.AddDate(-1, 0, 0), NotAfter: p.now.AddDate(1, 0, 0)}
	change(c)
	parent, signer := c, key
	if by != name {
		parent, signer = p.certs[by], p.keys[by]
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.certs[name], err = x509.ParseCertificate(der); err != nil {
		p.t.Fatal(err)
	}
	p.keys[name] = key
}

// crl makes a list of revoked certificates by an issuer.
func (p *pki) crl(by string, from, to time.Time, revoked ...string) *x509.RevocationList {
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: from, NextUpdate: to}
	for _, name := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: p.certs[name].SerialNumber, RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, p.certs[by], p.keys[by])
	if err != nil {
		p.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

func (p *pki) list(names string) (list []*x509.Certificate) {
	for _, name := range strings.Fields(names) {
		if p.certs[name] == nil {
			p.t.Fatalf("no certificate %q", name)
		}
		list = append(list, p.certs[name])
	}
	return list
}

func newPKI(t *testing.T) *pki {
	p := &pki{t, map[string]*x509.Certificate{}, map[string]*ecdsa.PrivateKey{}, time.Now()}
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	plain := func(c *x509.Certificate) {}
	p.make("root", "root", ca)
	p.make("other", "other", ca)
	p.make("inter", "root", ca)
	p.make("inter2", "inter", ca)
	p.make("short", "root", func(c *x509.Certificate) { ca(c); c.MaxPathLenZero = true })
	p.make("below", "short", ca)
	p.make("notca", "root", plain)
	p.make("leaf", "root", plain)
	p.make("leaf1", "inter", plain)
	p.make("leaf2", "inter2", plain)
	p.make("leafn", "notca", plain)
	p.make("leafs", "below", plain)
	p.make("self", "self", plain)
	p.make("client", "root", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	p.make("server", "root", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	p.make("any", "root", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
	p.make("signer", "root", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	p.make("old", "root", func(c *x509.Certificate) { c.NotAfter = p.now.AddDate(0, -1, 0) })
	p.make("new", "root", func(c *x509.Certificate) { c.NotBefore = p.now.AddDate(0, 1, 0) })
	return p
}

// TestVerify holds what nginx with OpenSSL 3.0 said of the same chains
// (sslhandshake of a cosocket, $ssl_client_verify), but for the path length.
func TestVerify(t *testing.T) {
	p := newPKI(t)
	lastYear, yesterday, tomorrow := p.now.AddDate(-1, 0, 0), p.now.AddDate(0, 0, -1), p.now.AddDate(0, 0, 1)
	crls := map[string]*x509.RevocationList{
		"none":    p.crl("root", yesterday, tomorrow),
		"revoked": p.crl("root", yesterday, tomorrow, "leaf"),
		"old":     p.crl("root", lastYear, yesterday, "leaf"),
		"other":   p.crl("other", yesterday, tomorrow, "leaf"),
	}
	for _, tt := range []struct {
		sent, roots string
		depth       int
		crl         string
		client      bool
		want        string
	}{
		{sent: "leaf", roots: "root"},
		{sent: "leaf", roots: "other root", depth: 1},
		{sent: "leaf root", roots: "root"},
		{sent: "leaf", roots: "other", want: "21: unable to verify the first certificate"},
		{sent: "leaf", want: "20: unable to get local issuer certificate"},
		{sent: "self", want: "18: self-signed certificate"},
		{sent: "self", roots: "root", want: "18: self-signed certificate"},
		{sent: "self", roots: "self"},
		{sent: "leaf root", roots: "other", want: "19: self-signed certificate in certificate chain"},
		{sent: "leaf", roots: "leaf", want: "21: unable to verify the first certificate"},
		{sent: "leaf1", roots: "root", depth: 1, want: "21: unable to verify the first certificate"},
		{sent: "leaf1 inter", roots: "root", depth: 0, want: "20: unable to get local issuer certificate"},
		{sent: "leaf1 inter", roots: "root", depth: 1},
		{sent: "leaf1 inter", roots: "other", depth: 1, want: "20: unable to get local issuer certificate"},
		{sent: "leaf2 inter2 inter", roots: "root", depth: 1, want: "20: unable to get local issuer certificate"},
		{sent: "leaf2 inter2 inter", roots: "root", depth: 2},
		{sent: "leaf2 inter inter2", roots: "root", depth: 2},
		{sent: "leaf1", roots: "inter", depth: 1, want: "2: unable to get issuer certificate"},
		{sent: "leaf1 inter", roots: "inter", depth: 1, want: "2: unable to get issuer certificate"},
		{sent: "leaf1", roots: "inter root", depth: 1},
		{sent: "leaf2", roots: "inter2 inter root", depth: 1, want: "2: unable to get issuer certificate"},
		{sent: "leaf2", roots: "inter2 inter root", depth: 2},
		{sent: "leafn notca", roots: "root", depth: 1, want: "26: unsuitable certificate purpose"},
		{sent: "leafn notca", roots: "other", depth: 1, want: "26: unsuitable certificate purpose"},
		{sent: "leafs below short", roots: "root", depth: 2, want: "25: path length constraint exceeded"},
		{sent: "client", roots: "root", want: "26: unsuitable certificate purpose"},
		{sent: "client", roots: "other", want: "21: unable to verify the first certificate"},
		{sent: "client", roots: "root", client: true},
		{sent: "server", roots: "root"},
		{sent: "server", roots: "root", client: true, want: "26: unsuitable certificate purpose"},
		{sent: "any", roots: "root", want: "26: unsuitable certificate purpose"},
		{sent: "signer", roots: "root", want: "26: unsuitable certificate purpose"},
		{sent: "old", roots: "root", want: "10: certificate has expired"},
		{sent: "old", roots: "other", want: "10: certificate has expired"},
		{sent: "new", roots: "root", want: "9: certificate is not yet valid"},
		{sent: "leaf", roots: "root", crl: "none"},
		{sent: "leaf", roots: "root", crl: "revoked", want: "23: certificate revoked"},
		{sent: "server", roots: "root", crl: "revoked"},
		{sent: "leaf", roots: "root", crl: "old", want: "12: CRL has expired"},
		{sent: "leaf", roots: "root", crl: "other", want: "3: unable to get certificate CRL"},
		{sent: "leaf1 inter", roots: "root", crl: "none", depth: 1, want: "3: unable to get certificate CRL"},
		{sent: "self", roots: "self", crl: "none", want: "3: unable to get certificate CRL"},
	} {
		v := &Verifier{Roots: p.list(tt.roots), Depth: tt.depth}
		if tt.crl != "" {
			v.CRLs = []*x509.RevocationList{crls[tt.crl]}
		}
		if tt.client {
			v.Purpose = Client
		}
		got := ""
		if err := v.Verify(p.list(tt.sent)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
}

// TestVerifyTampered makes sure that a signature counts, not the names alone.
func TestVerifyTampered(t *testing.T) {
	p := newPKI(t)
	p.make("root", "root", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	impostor := p.list("root")
	genuine := newPKI(t)
	v := &Verifier{Roots: impostor, Depth: 1}
	if err := v.Verify(genuine.list("leaf")); err == nil {
		t.Error("a certificate signed by another key of the same name is accepted")
	}
}
