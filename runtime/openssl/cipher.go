package openssl

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// A suite is a cipher suite up to TLS 1.2 with the words that select it.
type suite struct {
	id    uint16
	name  string
	words []string
}

// suites are those that both libraries have, in their default order of strength.
// RC4 and triple DES are left out: OpenSSL is built without them.
var suites = func() []suite {
	var list []suite
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if strings.Contains(s.Name, "RC4") || strings.Contains(s.Name, "3DES") || !strings.Contains(s.Name, "_WITH_") {
			continue
		}
		list = append(list, suite{s.ID, CipherName(s.Name), cipherWords(s.Name)})
	}
	return list
}()

// cipherWords are the words of ciphers(1) that stand for a suite, by its standard name.
func cipherWords(standard string) []string {
	words := []string{"ALL", "DEFAULT", "HIGH"}
	exchange, cipher, _ := strings.Cut(strings.TrimPrefix(standard, "TLS_"), "_WITH_")
	switch exchange {
	case "RSA":
		words = append(words, "kRSA", "aRSA", "RSA")
	case "ECDHE_RSA":
		words = append(words, "kECDHE", "kEECDH", "ECDHE", "EECDH", "aRSA")
	case "ECDHE_ECDSA":
		words = append(words, "kECDHE", "kEECDH", "ECDHE", "EECDH", "aECDSA", "ECDSA")
	}
	has := func(part string, more ...string) {
		if strings.Contains(cipher, part) {
			words = append(words, more...)
		}
	}
	has("AES_", "AES")
	has("AES_128", "AES128")
	has("AES_256", "AES256")
	has("GCM", "AESGCM")
	has("CHACHA20", "CHACHA20")
	switch { // by the version that brought the suite
	case strings.HasSuffix(cipher, "_CBC_SHA") && exchange == "RSA":
		return append(words, "SHA", "SHA1", "SSLv3")
	case strings.HasSuffix(cipher, "_CBC_SHA"):
		return append(words, "SHA", "SHA1", "TLSv1", "TLSv1.0")
	}
	has("CBC_SHA256", "SHA256")
	return append(words, "TLSv1.2")
}

// CipherSuites are the suites up to TLS 1.2 that a cipher list selects, as
// ciphers(1) describes it: words joined by + that must all apply, with ! to
// exclude for good, - to take away and + to reorder. The order is Go's own.
func CipherSuites(list string) ([]uint16, error) {
	var chosen, killed []uint16
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(":, ;", r) }) {
		op := item[0]
		if strings.IndexByte("!-+", op) >= 0 {
			item = item[1:]
		} else {
			op = 0
		}
		for _, id := range selected(item) {
			switch {
			case op == '!':
				killed = append(killed, id)
				fallthrough
			case op == '-':
				chosen = slices.DeleteFunc(chosen, func(c uint16) bool { return c == id })
			case op == 0 && !slices.Contains(chosen, id) && !slices.Contains(killed, id):
				chosen = append(chosen, id)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("SSL_CTX_set_cipher_list(\"%s\") failed (SSL: error:0A0000B9:SSL routines::no cipher match)", list)
	}
	return chosen, nil
}

// selected are the suites for a name, or for words joined by +.
func selected(item string) (ids []uint16) {
	for _, s := range suites {
		if item == s.name {
			return []uint16{s.id}
		}
	}
	words := strings.Split(item, "+")
	for _, s := range suites {
		if !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(s.words, w) }) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// CipherName is OpenSSL's name of a suite by its standard one; those of TLS 1.3
// have one name only.
func CipherName(standard string) string {
	exchange, cipher, ok := strings.Cut(strings.TrimPrefix(standard, "TLS_"), "_WITH_")
	if !ok {
		return standard
	}
	cipher = strings.Replace(cipher, "AES_", "AES", 1)
	cipher = strings.Replace(cipher, "_CBC_SHA", "_SHA", 1)
	cipher = strings.Replace(cipher, "POLY1305_SHA256", "POLY1305", 1)
	if exchange != "RSA" {
		cipher = exchange + "-" + cipher
	}
	return strings.ReplaceAll(cipher, "_", "-")
}

// curves are the groups of crypto/tls by OpenSSL's names, in lower case.
var curves = map[string]tls.CurveID{
	"x25519": tls.X25519, "prime256v1": tls.CurveP256, "secp256r1": tls.CurveP256, "p-256": tls.CurveP256,
	"secp384r1": tls.CurveP384, "p-384": tls.CurveP384, "secp521r1": tls.CurveP521, "p-521": tls.CurveP521,
}

// Curves are the groups that a list of curves names, nil (Go's choice) for "auto".
// Names that crypto/tls does not have are left out while another remains.
func Curves(list string) ([]tls.CurveID, error) {
	if list == "auto" {
		return nil, nil
	}
	var ids []tls.CurveID
	for _, name := range strings.Split(list, ":") {
		if id, ok := curves[lower(name)]; ok {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("SSL_CTX_set1_curves_list(\"%s\") failed: no curve of it is supported", list)
	}
	return ids, nil
}
