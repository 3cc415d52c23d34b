package ngxtext

import "strings"

// AcceptsGzip looks for gzip in an Accept-Encoding (ngx_http_gzip_accept_encoding). nginx knows only names at the beginning or
// behind a comma or space, and reads a quality with up to three decimals.
func AcceptsGzip(accept string) bool {
	if strings.HasPrefix(accept, "gzip,") {
		return true
	}
	for at := 0; ; {
		i := strings.Index(Lower(accept[at:]), "gzip")
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || accept[at-1] == ',' || accept[at-1] == ' ' {
			return acceptedQuality(accept[at+len("gzip"):])
		}
		at += len("gzip")
	}
}

// acceptedQuality judges what stands behind a coding's name.
func acceptedQuality(s string) bool {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] == ',' {
		return true
	}
	if s[0] != ';' {
		return false
	}
	s = strings.TrimLeft(s[1:], " ")
	if len(s) < 2 || LowerByte(s[0]) != 'q' || s[1] != '=' {
		return false
	}
	s, _, _ = strings.Cut(s[2:], ",")
	return acceptedNumber(strings.TrimRight(s, " "))
}

// acceptedNumber tells whether a quality is above 0 and well formed
// (ngx_http_gzip_quantity).
func acceptedNumber(s string) bool {
	if s == "" || s[0] != '0' && s[0] != '1' {
		return false
	}
	positive := s[0] == '1'
	if len(s) == 1 {
		return positive
	}
	if s[1] != '.' || len(s) > len("0.000") {
		return false
	}
	for _, c := range s[2:] {
		if c < '0' || c > '9' || s[0] == '1' && c != '0' {
			return false
		}
		positive = positive || c > '0'
	}
	return positive
}

// HasWord looks for a word in a list with commas or semicolons between.
func HasWord(list, word string) bool {
	for _, item := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ';' }) {
		if EqualFold(strings.Trim(item, " "), word) {
			return true
		}
	}
	return false
}
