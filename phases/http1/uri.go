package http1

import "strings"

// NormalizePath decodes the path of a target, resolves "." and "..", merges
// slashes when asked to, and splits off the arguments. What follows a "#" is
// dropped. It fails on a bad or zero percent escape and on a ".." above the root.
// An escaped "%", "#" or "?" is an ordinary character of the path; an escaped
// slash or dot counts like a plain one.
func NormalizePath(target string, mergeSlashes bool) (path, args string, ok bool) {
	out := make([]byte, 0, len(target))
	i := 0
	for i < len(target) {
		c := target[i]
		switch c {
		case '#':
			path, ok = finishPath(out)
			return path, "", ok
		case '?':
			args = target[i+1:]
			if n := strings.IndexByte(args, '#'); n >= 0 {
				args = args[:n]
			}
			path, ok = finishPath(out)
			return path, args, ok
		case '%':
			if i+2 >= len(target) {
				return "", "", false
			}
			high, okHigh := unhex(target[i+1])
			low, okLow := unhex(target[i+2])
			c = high<<4 | low
			if !okHigh || !okLow || c == 0 {
				return "", "", false
			}
			i += 2
		}
		i++
		if c != '/' {
			out = append(out, c)
			continue
		}
		if out, ok = resolveDots(out); !ok {
			return "", "", false
		}
		if n := len(out); n == 0 || out[n-1] != '/' || !mergeSlashes && !endsInDots(target, i) {
			out = append(out, '/')
		}
	}
	path, ok = finishPath(out)
	return path, "", ok
}

// endsInDots reports whether the slash before offset end closes a "." or ".."
// element, whose own slash is in the output already.
func endsInDots(target string, end int) bool {
	before := target[:end-1]
	return strings.HasSuffix(before, "/.") || strings.HasSuffix(before, "/..")
}

func finishPath(out []byte) (string, bool) {
	out, ok := resolveDots(out)
	return string(out), ok
}

// resolveDots removes a last element of "." or of ".." with the one before it.
// The result ends in a slash then.
func resolveDots(out []byte) ([]byte, bool) {
	n := len(out)
	switch {
	case n >= 2 && out[n-1] == '.' && out[n-2] == '/':
		return out[:n-1], true
	case n >= 3 && out[n-1] == '.' && out[n-2] == '.' && out[n-3] == '/':
		if n == 3 {
			return nil, false
		}
		n -= 4
		for n >= 0 && out[n] != '/' {
			n--
		}
		return out[:n+1], n >= 0
	}
	return out, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// hostClass tells for each byte what it may do in a host name: 1 it stands there, 2 it
// does and is made lower case, 0 it may not (RFC 3986, section 3.2.2).
var hostClass = func() (t [256]byte) {
	for c := range t {
		switch b := byte(c); {
		case b >= 'A' && b <= 'Z':
			t[c] = 2
		case isAlpha(b) || isDigit(b) || strings.IndexByte("-._~!$&'()*+,;=%", b) >= 0:
			t[c] = 1
		}
	}
	return t
}()

// SplitHost checks a Host header or the host of a target and parts the name to look
// servers up by, lower case and without one final dot, from the port.
func SplitHost(host string) (name, port string, ok bool) {
	end := 0 // of the name
	upper := false
	if strings.HasPrefix(host, "[") {
		if end = strings.IndexByte(host, ']'); end < 0 {
			return "", "", false
		}
		end++
	}
	for i := 1; i < end-1; i++ {
		class := hostClass[host[i]]
		if class == 0 && host[i] != ':' {
			return "", "", false
		}
		upper = upper || class == 2
	}
	if end == 0 {
		dot := len(host) // offset of the last dot
		for ; end < len(host) && host[end] != ':'; end++ {
			c := host[end]
			class := hostClass[c]
			if class == 0 || c == '.' && dot == end-1 {
				return "", "", false
			}
			if c == '.' {
				dot = end
			}
			upper = upper || class == 2
		}
		name = host[:end]
		if dot == end-1 {
			name = host[:dot]
		}
	} else {
		name = host[:end]
	}
	if rest := host[end:]; rest != "" {
		if port, ok = strings.CutPrefix(rest, ":"); !ok || !validPort(port) {
			return "", "", false
		}
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, port, name != ""
}

// validPort tells whether what stands behind the colon of a host is a port, or nothing.
func validPort(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		if n = n*10 + int(s[i]-'0'); !isDigit(s[i]) || n > 65535 {
			return false
		}
	}
	return true
}
