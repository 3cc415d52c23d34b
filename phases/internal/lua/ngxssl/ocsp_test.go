package ngxssl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// party is a certificate with its key.
type party struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newParty(t *testing.T, name string, by *party, usage ...x509.ExtKeyUsage) *party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &party{key: key, cert: &x509.Certificate{SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: by == nil, BasicConstraintsValid: true, ExtKeyUsage: usage}}
	if by == nil {
		by = p
	}
	der, err := x509.CreateCertificate(rand.Reader, p.cert, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestJudgeOCSP: whose word counts, and for how long.
func TestJudgeOCSP(t *testing.T) {
	ca, other := newParty(t, "ca", nil), newParty(t, "other", nil)
	leaf := newParty(t, "leaf.test", ca)
	helper := newParty(t, "helper", ca, x509.ExtKeyUsageOCSPSigning)
	chain := append(leaf.cert.Raw[:len(leaf.cert.Raw):len(leaf.cert.Raw)], ca.cert.Raw...)
	now := time.Now()
	for _, tt := range []struct {
		name string
		by   *party
		cert *x509.Certificate // sent with the response
		at   time.Time
		want string
	}{
		{"the issuer", ca, nil, now, ""},
		{"whom the issuer lets", helper, helper.cert, now, ""},
		{"somebody", other, other.cert, now, "OCSP_basic_verify() failed"},
		{"somebody without a certificate", other, nil, now, "OCSP_basic_verify() failed"},
		{"the leaf itself", leaf, leaf.cert, now, "OCSP_basic_verify() failed"},
		{"the issuer, long ago", ca, nil, now.Add(2 * time.Hour), "OCSP_check_validity() failed"},
		{"the issuer, for later", ca, nil, now.Add(-time.Hour), "OCSP_check_validity() failed"},
	} {
		der, err := ocsp.CreateResponse(ca.cert, tt.by.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.cert.SerialNumber,
			ThisUpdate: now, NextUpdate: now.Add(time.Hour), Certificate: tt.cert}, tt.by.key)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := judgeOCSP(der, chain, tt.at); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
