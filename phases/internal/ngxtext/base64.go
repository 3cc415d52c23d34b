package ngxtext

import (
	"encoding/base64"
	"strings"
)

// DecodeBase64MIME skips what is not in the alphabet, up to the first '='.
func DecodeBase64MIME(s string) (string, bool) {
	s, _, _ = strings.Cut(s, "=")
	clean := strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			return c
		}
		return -1
	}, s)
	if len(clean)%4 == 1 {
		return "", false
	}
	b, err := base64.RawStdEncoding.DecodeString(clean)
	return string(b), err == nil
}

// DecodeBase64 decodes as ngx_decode_base64: the alphabet up to the first '=' or
// the end; what follows an '=' does not matter.
func DecodeBase64(s string) (string, bool) {
	n := 0
	for n < len(s) && s[n] != '=' {
		c := s[n]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return "", false
		}
		n++
	}
	if n%4 == 1 {
		return "", false
	}
	b, err := base64.RawStdEncoding.DecodeString(s[:n])
	return string(b), err == nil
}

// EncodeBase64 encodes s, with the "=" at the end or without.
func EncodeBase64(s string, padding bool) string {
	if padding {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return base64.RawStdEncoding.EncodeToString([]byte(s))
}
