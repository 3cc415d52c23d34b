package ngxssl

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"golang.org/x/crypto/ocsp"
)

// ocspFunctions is the module ngx.ocsp.
var ocspFunctions = lib.Functions{
	{"get_ocsp_responder_from_der_chain", ocspResponder},
	{"create_ocsp_request", ocspRequest},
	{"validate_ocsp_response", ocspValidate},
	{"set_ocsp_status_resp", ocspStaple},
}

// maxOCSPText is the longest result without a limit by the script, in bytes:
// lua-resty-core's buffer for strings.
const maxOCSPText = 4096

// ocspClock is slack for clocks that differ from ours.
const ocspClock = 300 * time.Second

// The errors of chains, in ngx_lua's words.
var (
	errNoCert   = errors.New("d2i_X509_bio() failed")
	errNoIssuer = errors.New("no issuer certificate in chain")
	errIssuer   = errors.New("issuer certificate not next to leaf")
)

// firstCert reads the certificate that a chain in DER begins with.
func firstCert(chain []byte) (cert *x509.Certificate, rest []byte, err error) {
	var raw asn1.RawValue
	rest, err = asn1.Unmarshal(chain, &raw)
	if err != nil {
		return nil, nil, errNoCert
	}
	if cert, err = x509.ParseCertificate(raw.FullBytes); err != nil {
		return nil, nil, errNoCert
	}
	return cert, rest, nil
}

// leafAndIssuer are the first two certificates of a chain.
func leafAndIssuer(chain []byte) (leaf, issuer *x509.Certificate, err error) {
	leaf, rest, err := firstCert(chain)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) == 0 {
		return nil, nil, errNoIssuer
	}
	issuer, _, err = firstCert(rest)
	return leaf, issuer, err
}

// limitArgument is how long a result may be.
func limitArgument(th *rt.Thread, args []rt.Value, i int) int {
	if !rt.ArgAt(args, i).Truthy() {
		return maxOCSPText
	}
	return max(th.CheckInt(args, i), 0)
}

// ocspResponder is get_ocsp_responder_from_der_chain(chain, max_len): the URL of the leaf's
// responder, nil when it names none.
func ocspResponder(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	chain, limit := []byte(th.CheckString(args, 0)), limitArgument(th, args, 1)
	leaf, rest, err := firstCert(chain)
	switch {
	case err != nil:
		return lib.Fail(th, err.Error())
	case len(leaf.OCSPServer) == 0:
		return rt.Nil, 1
	case len(rest) == 0:
		return lib.Fail(th, errNoIssuer.Error())
	}
	issuer, _, err := firstCert(rest)
	switch {
	case err != nil:
		return lib.Fail(th, err.Error())
	case !bytes.Equal(leaf.RawIssuer, issuer.RawSubject):
		return lib.Fail(th, errIssuer.Error())
	}
	url := leaf.OCSPServer[0]
	if len(url) > limit {
		return th.Return2(rt.String(url[:limit]), rt.String("truncated"))
	}
	return rt.String(url), 1
}

// ocspRequest is create_ocsp_request(chain, max_len): a request for the leaf's status.
func ocspRequest(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	chain, limit := []byte(th.CheckString(args, 0)), limitArgument(th, args, 1)
	leaf, issuer, err := leafAndIssuer(chain)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	named := *issuer
	named.RawSubject = leaf.RawIssuer // as OpenSSL has it, whoever stands next to the leaf
	der, err := ocsp.CreateRequest(leaf, &named, nil)
	switch {
	case err != nil:
		return lib.Fail(th, "OCSP_cert_to_id() failed")
	case len(der) > limit:
		return lib.Fail(th, fmt.Sprintf("output buffer too small: %d > %d", len(der), limit))
	}
	return rt.String(string(der)), 1
}

// ocspValidate is validate_ocsp_response(response, chain, max_err_msg_len): whether the
// response says, in the issuer's name and at this time, that the leaf is good.
func ocspValidate(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	response, chain := []byte(th.CheckString(args, 0)), []byte(th.CheckString(args, 1))
	limit := limitArgument(th, args, 2)
	if err := judgeOCSP(response, chain, time.Now()); err != nil {
		text := err.Error()
		return lib.Fail(th, text[:min(len(text), limit)])
	}
	return rt.True, 1
}

var certStatuses = map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}

func judgeOCSP(response, chain []byte, now time.Time) error {
	if err := successful(response); err != nil {
		return err
	}
	leaf, issuer, err := leafAndIssuer(chain)
	if err != nil {
		return err
	}
	r, err := ocsp.ParseResponseForCert(response, leaf, nil)
	if err != nil {
		switch text := err.Error(); {
		case strings.Contains(text, "no response matching"):
			return errors.New("certificate status not found in the OCSP response")
		case strings.Contains(text, "signature"):
			return errors.New("OCSP_basic_verify() failed")
		}
		return errors.New("OCSP_response_get1_basic() failed")
	}
	switch {
	case !signedFor(r, issuer):
		return errors.New("OCSP_basic_verify() failed")
	case r.Status != ocsp.Good:
		return fmt.Errorf("certificate status \"%s\" in the OCSP response", certStatuses[r.Status])
	case r.ThisUpdate.After(now.Add(ocspClock)), !r.NextUpdate.IsZero() && r.NextUpdate.Before(now.Add(-ocspClock)):
		return errors.New("OCSP_check_validity() failed")
	}
	return nil
}

// successful reads the status that a response begins with.
func successful(response []byte) error {
	var outer struct {
		Status asn1.Enumerated
		Bytes  asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	if _, err := asn1.Unmarshal(response, &outer); err != nil {
		return errors.New("d2i_OCSP_RESPONSE() failed")
	}
	if outer.Status == 0 {
		return nil
	}
	text := "(UNKNOWN)"
	switch ocsp.ResponseStatus(outer.Status) {
	case ocsp.Malformed:
		text = "malformedrequest"
	case ocsp.InternalError:
		text = "internalerror"
	case ocsp.TryLater:
		text = "trylater"
	case ocsp.SignatureRequired:
		text = "sigrequired"
	case ocsp.Unauthorized:
		text = "unauthorized"
	}
	return fmt.Errorf("OCSP response not successful (%d: %s)", outer.Status, text)
}

// signedFor tells whether the issuer has signed a response, or one whom it lets sign.
func signedFor(r *ocsp.Response, issuer *x509.Certificate) bool {
	if r.Certificate == nil || bytes.Equal(r.Certificate.Raw, issuer.Raw) {
		return r.CheckSignatureFrom(issuer) == nil
	}
	if r.Certificate.CheckSignatureFrom(issuer) != nil {
		return false
	}
	for _, usage := range r.Certificate.ExtKeyUsage {
		if usage == x509.ExtKeyUsageOCSPSigning {
			return r.CheckSignatureFrom(r.Certificate) == nil
		}
	}
	return false
}

// ocspStaple is set_ocsp_status_resp(response): the client gets it with the certificate,
// if it has asked for one.
func ocspStaple(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	response := th.CheckString(args, 0)
	c := caller.Of(th)
	switch conn := connectionOf(th); {
	case conn == nil:
		return lib.Fail(th, badRequest)
	case c.Phase == caller.PhaseSSLClientHello || !conn.AsksForStatus: // OpenSSL reads on behind the hello's phase
		return th.Return2(rt.True, rt.String("no status req"))
	case c.Handshake != nil:
		c.Handshake.Staple = []byte(response)
	}
	return rt.True, 1
}
