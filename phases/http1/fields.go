package http1

// FieldOptions are the directives that decide which header lines count.
type FieldOptions struct {
	AllowUnderscores bool // underscores_in_headers
	KeepInvalid      bool // ignore_invalid_headers off
}

// field holds the offsets of one header line.
type field struct {
	start                int // of the line; the others count from it
	nameEnd              int
	valueStart, valueEnd int
	next                 int  // behind the line feed
	last                 bool // the empty line
	invalid              bool // the name has odd characters
}

// nameClass tells for each byte whether it may stand in a header name: 1 yes,
// 2 it makes the header invalid, 0 it makes the request invalid.
var nameClass = func() (t [256]byte) {
	for c := range t {
		switch b := byte(c); {
		case b <= 0x20 || b == 0x7f || b == ':':
		case isAlpha(b) || isDigit(b) || b == '-':
			t[c] = 1
		default:
			t[c] = 2
		}
	}
	return t
}()

// parse reads the header line at the start of b. ok is false when b ends before the
// line does; bad means that the byte at f.next may not stand there.
func (f *field) parse(b []byte, opt FieldOptions) (ok, bad bool) {
	*f = field{}
	if len(b) == 0 {
		return false, false
	}
	if b[0] == '\r' || b[0] == '\n' {
		f.last = true
		i := 0
		if b[0] == '\r' {
			i++
		}
		if i == len(b) {
			return false, false
		}
		if b[i] != '\n' { // the return is the bad one
			return false, true
		}
		f.next = i + 1
		return true, false
	}
	i := 0
	for ; ; i++ {
		if i == len(b) {
			return false, false
		}
		c := b[i]
		class := nameClass[c]
		if class == 1 {
			continue
		}
		if c == ':' && i > 0 {
			break
		}
		if class == 2 {
			if c != '_' || !opt.AllowUnderscores {
				f.invalid = true
			}
			continue
		}
		if c != '\r' && c != '\n' {
			f.next = i
			return false, true
		}
		f.nameEnd, f.valueStart, f.valueEnd = i, i, i
		return f.lineEnd(b, i)
	}
	f.nameEnd = i
	for i++; i < len(b) && b[i] == ' '; i++ {
	}
	f.valueStart = i
	for ; i < len(b); i++ {
		c := b[i]
		if c > '\r' {
			continue
		}
		if c == '\r' || c == '\n' {
			f.valueEnd = i
			for f.valueEnd > f.valueStart && b[f.valueEnd-1] == ' ' {
				f.valueEnd--
			}
			return f.lineEnd(b, i)
		}
		if c == 0 {
			f.next = i
			return false, true
		}
	}
	return false, false
}

// lineEnd reads carriage returns and the line feed at i. nginx lets several
// returns pass. When another byte stands there, it names the return as the bad
// one.
func (f *field) lineEnd(b []byte, i int) (ok, bad bool) {
	for i < len(b) && b[i] == '\r' {
		i++
	}
	if i == len(b) {
		return false, false
	}
	if b[i] != '\n' {
		f.next = i - 1
		return false, true
	}
	f.next = i + 1
	return true, false
}

// known are the headers that the server itself reads.
type known int

const (
	unknownField known = iota
	hostField
	connectionField
	lengthField
	codingField
	expectField
	uniqueField // may not come twice
)

// knownField looks a header name up, in any case.
func knownField(name string) known {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			return hostField
		}
	case 6:
		if equalFold(name, "expect") {
			return expectField
		}
	case 8:
		if equalFold(name, "if-match") || equalFold(name, "if-range") {
			return uniqueField
		}
	case 10:
		if equalFold(name, "connection") {
			return connectionField
		}
	case 13:
		if equalFold(name, "if-none-match") || equalFold(name, "authorization") ||
			equalFold(name, "content-range") {
			return uniqueField
		}
	case 14:
		if equalFold(name, "content-length") {
			return lengthField
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return codingField
		}
		if equalFold(name, "if-modified-since") {
			return uniqueField
		}
	case 19:
		if equalFold(name, "if-unmodified-since") {
			return uniqueField
		}
	}
	return unknownField
}

// add takes one header line over.
func (h *Head) add(name, value string) *Error {
	kind := knownField(name)
	switch kind {
	case unknownField:
	case hostField:
		if h.HasHost {
			return h.duplicate(name, value, "client sent duplicate host header: ")
		}
		h.HasHost = true
		host, port, ok := SplitHost(value)
		if !ok {
			return &Error{400, "client sent invalid host header" + readingHeaders}
		}
		if h.Host == "" {
			h.Host, h.Port = host, port
		}
	case connectionField:
		// The first of several decides only when it says something.
		if containsFold(value, "close") {
			h.KeepAlive = false
		} else if containsFold(value, "keep-alive") {
			h.KeepAlive = h.Major == 1
		}
	default:
		for i := range h.Fields {
			if len(h.Fields[i].Name) == len(name) && equalFold(h.Fields[i].Name, name) {
				return h.duplicate(name, value, "client sent duplicate header line: ")
			}
		}
		switch kind {
		case expectField:
			h.Expect = equalFold(value, "100-continue") && !h.Is10()
		case lengthField:
			h.length, h.hasLength = value, true
		case codingField:
			h.coding, h.hasCoding = value, true
		}
	}
	h.Fields = append(h.Fields, Field{name, value})
	return nil
}

func (h *Head) duplicate(name, value, msg string) *Error {
	for _, f := range h.Fields {
		if equalFold(f.Name, name) {
			msg += `"` + name + ": " + value + `", previous value: "` + f.Name + ": " + f.Value + `"`
			break
		}
	}
	return &Error{400, msg + readingHeaders}
}

func containsFold(text, part string) bool {
	for i := 0; i+len(part) <= len(text); i++ {
		if equalFold(text[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// finish checks what can only be judged with all headers known.
func (h *Head) finish() *Error {
	if !h.HasHost && !h.Is10() {
		return errNoHost
	}
	if h.hasLength {
		n, ok := parseLength(h.length)
		if !ok {
			return errLength
		}
		h.ContentLength = n
	}
	if h.hasCoding {
		switch {
		case h.Is10():
			return errTE10
		case !equalFold(h.coding, "chunked"):
			return &Error{501, `client sent unknown "Transfer-Encoding": "` + h.coding + `"` + readingHeaders}
		case h.hasLength:
			return errBoth
		}
		h.Chunked = true
	}
	switch h.Method {
	case "CONNECT":
		return errConnect
	case "TRACE":
		return errTrace
	}
	return nil
}

// equalFold compares ASCII texts without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if x, y := a[i], b[i]; x != y && (x|0x20 != y|0x20 || !isAlpha(x)) {
			return false
		}
	}
	return true
}
