package ngxtext

import "strings"

// AcceptsBrotli looks for br in an Accept-Encoding, as ngx_brotli does: between commas and
// spaces, in any case. Only a quality that is 0 in a form that it knows is a no.
func AcceptsBrotli(accept string) bool {
	for at := 0; ; {
		i := strings.Index(Lower(accept[at:]), "br")
		if i < 0 {
			return false
		}
		begin := at + i
		at = begin + len("br")
		before, after := byte(' '), byte(' ')
		if begin > 0 {
			before = accept[begin-1]
		}
		if at < len(accept) {
			after = accept[at]
		}
		if (before == ',' || before == ' ') && (after == ',' || after == ' ' || after == ';') {
			return !refusesBrotli(accept[at:])
		}
	}
}

// refusesBrotli reads ";q=0" and what may follow it: three decimals at most, of which one
// that is no zero takes the refusal back.
func refusesBrotli(s string) bool {
	for _, c := range ";q=" {
		s = strings.TrimLeft(s, " ")
		if s == "" || s[0] != byte(c) {
			return false
		}
		s = s[1:]
	}
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '0' {
		return false
	}
	if s = s[1:]; s == "" || s[0] != '.' {
		return true
	}
	for i := 1; i <= 3 && i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if s[i] > '0' {
			return false
		}
	}
	return true
}
