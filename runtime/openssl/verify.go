package openssl

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Purpose is what the verified peer's certificate has to be good for.
type Purpose int

const (
	// Server is for the certificates of servers, which clients verify.
	Server Purpose = iota
	// Client is for the certificates of clients, which servers verify.
	Client
)

// A Verifier judges the certificates of peers. It may be used by several
// goroutines once it is set up.
type Verifier struct {
	// Roots are the trusted certificates. Only a self-signed one ends a chain: an
	// intermediate certificate among them helps to build chains, but is no anchor.
	Roots []*x509.Certificate
	// CRLs are the lists of revoked certificates. With one of them, each
	// certificate of the chain needs a current list of its issuer.
	CRLs []*x509.RevocationList
	// Depth is how many intermediate certificates may stand between the peer's and
	// the anchor.
	Depth int
	// Purpose is what the peer's certificate must be good for.
	Purpose Purpose
	// GoOn keeps the last error even where nothing is trusted, as a callback does that
	// lets everything pass.
	GoOn bool
}

// A VerifyError is why a certificate was not accepted.
type VerifyError struct {
	Code int // X509_V_ERR_*
	Text string
}

// Error gives number and text as logs and scripts see them: "18: self-signed certificate".
func (e *VerifyError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Text) }

// The errors of verification, as X509_verify_cert_error_string names them.
var (
	errIssuer        = &VerifyError{2, "unable to get issuer certificate"}
	errNoCRL         = &VerifyError{3, "unable to get certificate CRL"}
	errNotYet        = &VerifyError{9, "certificate is not yet valid"}
	errExpired       = &VerifyError{10, "certificate has expired"}
	errCRLNotYet     = &VerifyError{11, "CRL is not yet valid"}
	errCRLExpired    = &VerifyError{12, "CRL has expired"}
	errSelfSigned    = &VerifyError{18, "self-signed certificate"}
	errSelfInChain   = &VerifyError{19, "self-signed certificate in certificate chain"}
	errIssuerLocally = &VerifyError{20, "unable to get local issuer certificate"}
	errFirst         = &VerifyError{21, "unable to verify the first certificate"}
	errRevoked       = &VerifyError{23, "certificate revoked"}
	errPathLength    = &VerifyError{25, "path length constraint exceeded"}
	errPurpose       = &VerifyError{26, "unsuitable certificate purpose"}
	errExtension     = &VerifyError{34, "unhandled critical extension"}
	errNotCA         = &VerifyError{79, "invalid CA certificate"}
)

// VerifyText is OpenSSL's text for a number of X509_V_ERR_*.
func VerifyText(code int) string {
	for _, e := range []*VerifyError{errIssuer, errNoCRL, errNotYet, errExpired, errCRLNotYet, errCRLExpired, errSelfSigned, errSelfInChain,
		errIssuerLocally, errFirst, errRevoked, errPathLength, errPurpose, errExtension, errNotCA} {
		if e.Code == code {
			return e.Text
		}
	}
	return "unknown certificate verification error"
}

// NoTrust tells whether the error only says that the chain ends in no trusted
// certificate: what ssl_verify_client optional_no_ca lets pass.
func (e *VerifyError) NoTrust() bool {
	return e == errSelfSigned || e == errSelfInChain || e == errIssuerLocally || e == errFirst
}

// Verify judges a peer's certificate, the first of those it sent; nil is good.
// OpenSSL goes on after an error and keeps the last one, unless nothing is
// trusted at all: then its first error ends the verification.
func (v *Verifier) Verify(sent []*x509.Certificate) *VerifyError {
	now := time.Now()
	chain := v.build(sent)
	if errs := v.judge(chain, now); len(errs) > 0 {
		if len(v.Roots) == 0 && !v.GoOn {
			return errs[0]
		}
		return errs[len(errs)-1]
	}
	return v.cross(chain.certs, now)
}

// cross asks crypto/x509 for its own judgement of a chain that looks good: what
// it alone knows (name constraints, weak keys and hashes) has no exception here.
func (v *Verifier) cross(chain []*x509.Certificate, now time.Time) *VerifyError {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var unknown x509.UnhandledCriticalExtension
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return errExtension
	}
	return &VerifyError{1, "unspecified certificate verification error (" + err.Error() + ")"}
}

// A path is a chain as far as it could be built.
type path struct {
	certs   []*x509.Certificate // the peer's first
	sent    int                 // how many of certs the peer sent; the rest are trusted ones
	trusted bool                // the last one is a trusted anchor
}

// build follows the issuers from the peer's certificate, trusted ones first, until
// one is self-signed, none is found or the depth is used up.
func (v *Verifier) build(sent []*x509.Certificate) path {
	p := path{certs: sent[:1:1], sent: 1}
	for {
		last := p.certs[len(p.certs)-1]
		if selfSigned(last) {
			p.trusted = contains(v.Roots, last)
			return p
		}
		if len(p.certs) == v.Depth+2 { // the peer's, the intermediate ones and the anchor
			return p
		}
		if issuer := findIssuer(v.Roots, last, p.certs); issuer != nil {
			p.certs = append(p.certs, issuer)
			continue
		}
		issuer := findIssuer(sent[1:], last, p.certs)
		if issuer == nil || p.sent < len(p.certs) {
			return p
		}
		p.certs = append(p.certs, issuer)
		p.sent++
	}
}

// findIssuer finds the certificate that has signed c and is not in the chain yet.
func findIssuer(among []*x509.Certificate, c *x509.Certificate, chain []*x509.Certificate) *x509.Certificate {
	for _, candidate := range among {
		if isIssuer(candidate, c) && !contains(chain, candidate) {
			return candidate
		}
	}
	return nil
}

func isIssuer(candidate, c *x509.Certificate) bool {
	return bytes.Equal(candidate.RawSubject, c.RawIssuer) &&
		(len(c.AuthorityKeyId) == 0 || len(candidate.SubjectKeyId) == 0 || bytes.Equal(candidate.SubjectKeyId, c.AuthorityKeyId)) &&
		signed(candidate, c)
}

// signed checks c's signature with candidate's key, whatever else candidate may do.
func signed(candidate, c *x509.Certificate) bool {
	return candidate.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && signed(c, c)
}

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

// judge lists what is wrong with a chain, in the order of OpenSSL's passes: trust,
// extensions, revocation, signatures and times.
func (v *Verifier) judge(p path, now time.Time) []*VerifyError {
	var errs []*VerifyError
	add := func(e *VerifyError) {
		if e != nil {
			errs = append(errs, e)
		}
	}
	add(p.untrusted())
	for i, c := range p.certs {
		for _, e := range v.extensions(c, i) {
			add(e)
		}
	}
	if len(v.CRLs) > 0 {
		for i := range p.certs {
			add(v.revocation(p.certs, i, now))
		}
	}
	if len(p.certs) == 1 && !selfSigned(p.certs[0]) {
		add(errFirst)
	}
	for i := len(p.certs) - 1; i >= 0; i-- {
		switch c := p.certs[i]; {
		case now.Before(c.NotBefore):
			add(errNotYet)
		case now.After(c.NotAfter):
			add(errExpired)
		}
	}
	return errs
}

// untrusted is why the chain has no anchor, nil when it has one.
func (p path) untrusted() *VerifyError {
	last := p.certs[len(p.certs)-1]
	switch {
	case p.trusted:
		return nil
	case !selfSigned(last) && p.sent < len(p.certs):
		return errIssuer
	case !selfSigned(last):
		return errIssuerLocally
	case len(p.certs) == 1:
		return errSelfSigned
	}
	return errSelfInChain
}

// extensions lists what the extensions of the i-th certificate forbid.
func (v *Verifier) extensions(c *x509.Certificate, i int) (errs []*VerifyError) {
	isCA := c.IsCA && c.BasicConstraintsValid || c.Version < 3 && selfSigned(c) ||
		!c.BasicConstraintsValid && c.KeyUsage&x509.KeyUsageCertSign != 0
	if i > 0 && !isCA {
		errs = append(errs, errNotCA)
	}
	if i > 0 && !isCA || !v.serves(c, i) {
		errs = append(errs, errPurpose)
	}
	// Self-issued certificates do not count, nor does the peer's own.
	if i > 1 && c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLenZero) && i-1 > c.MaxPathLen {
		errs = append(errs, errPathLength)
	}
	return errs
}

// serves tells whether the usages of the i-th certificate allow the purpose.
func (v *Verifier) serves(c *x509.Certificate, i int) bool {
	extended, usage := x509.ExtKeyUsageServerAuth, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement
	if v.Purpose == Client {
		extended, usage = x509.ExtKeyUsageClientAuth, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyAgreement
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, extended) &&
		(v.Purpose == Client || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageNetscapeServerGatedCrypto) &&
			!slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageMicrosoftServerGatedCrypto)) {
		return false
	}
	return i > 0 || c.KeyUsage == 0 || c.KeyUsage&usage != 0
}

// revocation looks the i-th certificate up in the list of its issuer, the next in
// the chain; a list that is not signed by the issuer counts as none.
func (v *Verifier) revocation(chain []*x509.Certificate, i int, now time.Time) *VerifyError {
	c, issuer := chain[i], chain[min(i+1, len(chain)-1)]
	var list *x509.RevocationList
	for _, l := range v.CRLs {
		if bytes.Equal(l.RawIssuer, c.RawIssuer) && l.CheckSignatureFrom(issuer) == nil &&
			(list == nil || l.ThisUpdate.After(list.ThisUpdate)) {
			list = l
		}
	}
	if list == nil {
		return errNoCRL
	}
	for _, entry := range list.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(c.SerialNumber) == 0 {
			return errRevoked
		}
	}
	switch {
	case now.Before(list.ThisUpdate):
		return errCRLNotYet
	case !list.NextUpdate.IsZero() && now.After(list.NextUpdate):
		return errCRLExpired
	}
	return nil
}
