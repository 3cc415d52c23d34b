package core

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Internal jumps take a request, or a subrequest of it, to a place that a text
// names: "/uri?args" or "@name". Every such text goes through one of two doors.
//
// OpenTarget is for texts that come from outside of the configuration: an
// upstream's X-Accel-Redirect, a script, an echo directive with variables. They
// are written as in a request line, so they are decoded, and they may not climb
// out of the location they name.
//
// Request.jump is for texts of the configuration itself (error_page, try_files):
// nginx takes them as they stand.

// OpenTarget parts the URI of an internal jump from its arguments and decodes
// it. ok is false for what nginx calls an unsafe URI: an empty one, one with a
// NUL, one that climbs by "..", before or after decoding
// (ngx_http_parse_unsafe_uri).
func OpenTarget(text string) (uri, args string, ok bool) {
	uri, args, _ = strings.Cut(text, "?")
	if !safePath(uri) {
		return "", "", false
	}
	if strings.IndexByte(uri, '%') < 0 {
		return uri, args, true
	}
	uri = UnescapeURI(uri)
	return uri, args, safePath(uri)
}

// safePath reports whether a path names something and does not climb. A path of
// nothing but broken escapes is one of length zero after decoding.
func safePath(path string) bool {
	if path == "" || strings.IndexByte(path, 0) >= 0 {
		return false
	}
	for rest := path; ; {
		i := strings.Index(rest, "..")
		if i < 0 {
			return true
		}
		start := len(path) - len(rest) + i
		before := start == 0 || path[start-1] == '/'
		after := start+2 == len(path) || path[start+2] == '/'
		if before && after {
			return false
		}
		rest = path[start+1:]
	}
}

// OpenTarget is OpenTarget with nginx's log line about an unsafe URI.
func (r *Request) OpenTarget(text string) (uri, args string, ok bool) {
	if uri, args, ok = OpenTarget(text); !ok {
		if path, _, _ := strings.Cut(text, "?"); safePath(path) { // unsafe once it is decoded
			text = UnescapeURI(path)
		}
		r.Logf(errlog.Err, "unsafe URI \"%s\" was detected", text)
	}
	return uri, args, ok
}

// Jump moves the request to a place that the configuration names. Its result is
// for finalize.
func (r *Request) Jump(target string) int {
	if strings.HasPrefix(target, "@") {
		return r.NamedRedirect(target)
	}
	uri, args, hasArgs := strings.Cut(target, "?")
	rc := r.InternalRedirect(uri, args)
	r.EmptyArgs = hasArgs
	return rc
}

// UnescapeURI decodes the escapes of a URI. Of a broken one the bytes that are
// no digits stay, as ngx_unescape_uri leaves them.
func UnescapeURI(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		high := ngxtext.HexDigit(s[i])
		if high < 0 {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		if low := ngxtext.HexDigit(s[i]); low >= 0 {
			out = append(out, byte(high<<4|low))
		}
	}
	return string(out)
}
