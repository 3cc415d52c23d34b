package lua

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// headerGet is ngx.header.name.
func headerGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	r := requestOf(th)
	name := headerName(r, lib.Text(th, args[1]))
	switch core.Classify(name) {
	case core.OutContentType, core.OutContentLength:
		if v, ok := r.Out.Get(name); ok && v != "" {
			return rt.String(v), 1
		}
		return rt.Nil, 1
	case core.OutLastModified:
		if r.Out.LastModified < 0 {
			return rt.Nil, 1
		}
		return rt.String(ngxtext.FormatHTTPTime(r.Out.LastModified)), 1
	case core.OutLocation:
		if r.Out.Location != "" {
			return rt.String(r.Out.Location), 1
		}
	}
	found := rt.Nil
	for i := range r.Out.Headers {
		h := &r.Out.Headers[i]
		if !ngxtext.EqualFold(h.Name, name) {
			continue
		}
		switch v := rt.String(h.Value); {
		case found.IsNil():
			found = v
		case found.IsTable():
			found.Table().Append(v)
		default:
			found = rt.NewArray(found, v)
		}
	}
	return found, 1
}

// headerName turns the underscores of a name into hyphens, unless
// lua_transform_underscores_in_response_headers is off.
func headerName(r *core.Request, name string) string {
	if strings.IndexByte(name, '_') >= 0 && loc.Of(r.Loc).transformUnderscores.V {
		return strings.ReplaceAll(name, "_", "-")
	}
	return name
}

// headerSet is ngx.header.name = value.
func headerSet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 3)
	r := requestOf(th)
	name := lib.Text(th, args[1])
	if r.HeadersSent {
		r.Log(errlog.Err, "attempt to set ngx.header.HEADER after sending out response headers")
		return rt.Nil, 0
	}
	name = escapeHeaderName(headerName(r, name))
	note.Of(r).headersSet = true
	if name == "" {
		return rt.Nil, 0
	}
	if args[2].IsNil() {
		setResponseHeader(&r.Out, name, nil)
	} else if !setResponseHeader(&r.Out, name, headerValues(th, args[2])) {
		th.Errorf("failed to set header")
	}
	return rt.Nil, 0
}

// oneValueAnswers are the response headers of which nginx keeps one line by itself:
// the last of several values is the one that counts.
var oneValueAnswers = core.NameSetOf("Server", "Date", "Content-Encoding", "Refresh", "Last-Modified", "Content-Range",
	"Accept-Ranges", "WWW-Authenticate", "Expires", "E-Tag", "ETag", "Content-Length", "Content-Type")

// setResponseHeader gives a header what a script wants it to be: none or an empty first value
// removes it, a line that is there keeps its name. It is false for a value that the
// header cannot have.
func setResponseHeader(o *core.Response, name string, values []string) bool {
	kind := core.Classify(name)
	switch {
	case kind == core.OutContentLength:
		return setResponseLengths(o, name, values)
	case len(values) > 1 && oneValueAnswers.Has(name):
		values = values[len(values)-1:]
	case len(values) > 1 && kind == core.OutLocation:
		values = locations(values)
	}
	value := ""
	if len(values) > 0 {
		value, values = values[0], values[1:]
	}
	switch {
	case value == "":
		o.Del(name)
		o.Blank |= 1 << kind
	case kind == core.OutLastModified: // kept as it is written, whatever the status
		o.Set(name, value)
		o.Headers.Set(name, value)
	default:
		o.Set(o.Headers.NameOf(name), value)
	}
	for _, v := range values {
		if v != "" {
			o.Headers.Add(name, v)
		}
	}
	return true
}

// addResponseHeader adds values to a header that may have several, and is setResponseHeader for one that
// has one.
func addResponseHeader(o *core.Response, name string, values []string) bool {
	switch {
	case oneValueAnswers.Has(name):
		return setResponseHeader(o, name, values)
	case core.Classify(name) == core.OutLocation:
		if v, ok := o.Get(name); ok {
			values = append([]string{v}, values...)
		}
		return setResponseHeader(o, name, values)
	}
	for _, v := range values {
		if v != "" {
			o.Headers.Add(name, v)
		}
	}
	return true
}

// setResponseLengths gives Content-Length one value after the other, up to one that is no
// number.
func setResponseLengths(o *core.Response, name string, values []string) bool {
	if len(values) == 0 {
		values = []string{""}
	}
	for _, v := range values {
		if v == "" {
			o.Del("Content-Length")
			o.Blank |= 1 << core.OutContentLength
		} else if _, ok := ngxtext.ParseDecimal(v); !ok {
			return false
		}
		o.Set(name, v)
	}
	return true
}

// locations are the values of several that a Location ends up with: a local one
// stays, any other is replaced by the next.
func locations(values []string) []string {
	var keep []string
	for _, v := range values {
		if n := len(keep); n > 0 && !strings.HasPrefix(keep[n-1], "/") {
			keep[n-1] = v
			continue
		}
		keep = append(keep, v)
	}
	return keep
}

// headerNameChars has the characters that stay in a header's name.
const headerNameChars = "!#$%&'*+-.^_`|~" +
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// escapeHeaderName escapes what cannot stand in a header's name, as %XX.
func escapeHeaderName(s string) string {
	return escapeBytes(s, func(c byte) bool { return strings.IndexByte(headerNameChars, c) < 0 })
}

// escapeHeaderValue escapes control characters other than the tab.
func escapeHeaderValue(s string) string {
	return escapeBytes(s, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

func escapeBytes(s string, bad func(c byte) bool) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if bad(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; bad(c) {
			b = append(b, '%', ngxtext.UpperHex[c>>4], ngxtext.UpperHex[c&15])
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
