package openssl

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
)

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// MatchesHost tells whether a certificate stands for a host name as
// X509_check_host does: by its DNS names, or by its common names when it has no
// DNS name. An address is compared as a name; IP entries do not count.
func MatchesHost(c *x509.Certificate, host string) bool {
	names := c.DNSNames
	if len(names) == 0 {
		for _, n := range c.Subject.Names {
			if s, ok := n.Value.(string); ok && n.Type.Equal(oidCommonName) {
				names = append(names, s)
			}
		}
	}
	host = lower(host)
	for _, name := range names {
		if matchesName(lower(name), host) {
			return true
		}
	}
	return false
}

// matchesName compares a name of a certificate, which may begin with a wildcard
// label, with a host.
func matchesName(pattern, host string) bool {
	if strings.HasPrefix(host, ".") { // any name below this domain
		return len(pattern) > len(host) && strings.HasSuffix(pattern, host)
	}
	before, after, ok := wildcard(pattern)
	if !ok {
		return pattern == host
	}
	if len(host) < len(before)+len(after) || !strings.HasPrefix(host, before) || !strings.HasSuffix(host, after) {
		return false
	}
	star := host[len(before) : len(host)-len(after)]
	whole := before == "" && strings.HasPrefix(after, ".")
	switch {
	case whole && star == "": // a whole label is not empty
		return false
	case !whole && strings.HasPrefix(host, "xn--"): // part of an encoded label means nothing
		return false
	}
	return strings.Trim(star, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// wildcard splits a pattern at its star. The star stands at the start or the end
// of the first label, which is not an encoded one, before at least two others.
func wildcard(pattern string) (before, after string, ok bool) {
	before, after, ok = strings.Cut(pattern, "*")
	if !ok || strings.ContainsAny(before, ".*") || strings.Contains(after, "*") ||
		before != "" && !strings.HasPrefix(after, ".") || strings.HasPrefix(before, "xn--") {
		return "", "", false
	}
	label, rest, _ := strings.Cut(after, ".")
	if strings.HasSuffix(label, "-") || strings.HasPrefix(before, "-") || strings.Count(rest, ".") < 1 {
		return "", "", false
	}
	for _, l := range strings.Split(rest, ".") {
		if l == "" || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", "", false
		}
	}
	return before, after, true
}

// lower folds ASCII only, as OpenSSL does.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}
