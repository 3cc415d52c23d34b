package http1

// The functions here judge requests whose framing is another protocol's: what
// HTTP/2 sends as separate fields has to obey the rules of a head of HTTP/1.

// Begin prepares h for a request of protocol version major.
func (h *Head) Begin(major int) {
	h.reset()
	h.Major = major
}

// ValidTarget reports whether target may be the path and arguments of a request
// (ngx_http_parse_uri).
func ValidTarget(target string) bool {
	for i := 0; i < len(target); i++ {
		if c := target[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return target != "" && target[0] == '/'
}

// SetTarget takes over path and arguments that ValidTarget allows. It reports
// whether the path can be decoded and stays below the root.
func (h *Head) SetTarget(target string, mergeSlashes bool) bool {
	var room [512]byte
	var l requestLine
	_, ok, err := l.target(append(append(room[:0], target...), ' '), 0)
	if !ok || err != nil {
		return false
	}
	h.Target = target
	switch {
	case l.complex:
		h.Path, h.Args, ok = NormalizePath(target, mergeSlashes)
		return ok
	case l.argsStart > 0:
		h.Path, h.Args = target[:l.argsStart-1], target[l.argsStart:]
	default:
		h.Path = target
	}
	return true
}

// AddField takes over one header field.
func (h *Head) AddField(name, value string) *Error { return h.add(name, value) }

// Finish checks what can only be judged with all fields known.
func (h *Head) Finish() *Error { return h.finish() }

// ValidMethod reports whether name may be a method.
func ValidMethod(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return name != ""
}
