package ngxtext

import "strings"

// EachArg calls f for every argument of a query string; hasValue tells "k=" from
// "k". Empty keys are left out. With max above 0 it stops after that many parts
// and reports whether more followed.
func EachArg(args string, max int, f func(key, value string, hasValue bool)) (truncated bool) {
	for n := 0; args != ""; {
		part, rest, more := strings.Cut(args, "&")
		key, value, hasValue := strings.Cut(part, "=")
		if key != "" {
			f(UnescapeArg(key), UnescapeArg(value), hasValue)
		}
		if n++; n == max && more {
			return true
		}
		args = rest
	}
	return false
}
