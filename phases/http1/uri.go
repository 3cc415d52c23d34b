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

// ValidHost checks a Host header or the host of a target and gives the name to
// look servers up by: lower case, without port and without one final dot.
func ValidHost(host string) (string, bool) {
	end := len(host)
	dot := len(host)   // offset of the last dot
	literal := false   // inside brackets
	afterName := false // in the port
	upper := false
	for i := 0; i < len(host); i++ {
		c := host[i]
		if nameClass[c] == 1 && (c < 'A' || c > 'Z') {
			continue
		}
		switch {
		case c == '.':
			if dot == i-1 {
				return "", false
			}
			dot = i
		case c == ':':
			if !literal && !afterName {
				end, afterName = i, true
			}
		case c == '[':
			literal = literal || i == 0
		case c == ']':
			if literal {
				end, literal, afterName = i+1, false, true
			}
		case c == '/' || c <= 0x20 || c == 0x7f:
			return "", false
		case c >= 'A' && c <= 'Z':
			upper = true
		}
	}
	if dot == end-1 {
		end--
	}
	if end <= 0 {
		return "", false
	}
	name := host[:end]
	if upper {
		name = strings.ToLower(name)
	}
	return name, true
}
