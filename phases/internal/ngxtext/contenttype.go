package ngxtext

import "strings"

// CharsetOf is the charset that a Content-Type of an upstream names, and the place of the
// ";" before it; -1 when it names none (ngx_http_upstream_copy_content_type).
func CharsetOf(contentType string) (charset string, at int) {
	const word = "charset="
	for i := 0; i < len(contentType); i++ {
		if contentType[i] != ';' {
			continue
		}
		rest := strings.TrimLeft(contentType[i+1:], " ")
		if len(rest) < len(word) || !EqualFold(rest[:len(word)], word) {
			continue
		}
		return strings.TrimSuffix(strings.TrimPrefix(rest[len(word):], "\""), "\""), i
	}
	return "", -1
}
