package core

import (
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Response is the head of the answer. What nginx keeps outside its header
// list is kept outside here, as it is written in a fixed order before the
// list.
type Response struct {
	Status     int
	StatusLine string // "404 Nowhere": replaces nginx's text for Status

	ContentType   string
	Charset       string // appended to a ContentType that has no parameters
	ContentLength int64  // -1: not known
	LastModified  int64  // Unix seconds, -1: none

	// Location is a redirect's target set by the server itself; when it is
	// relative the header filter completes it. A Location set by Lua stands in
	// Headers and is never touched.
	Location string

	Headers Headers

	// CustomServer and CustomDate suppress the lines nginx makes by itself:
	// the header is in Headers, or was removed.
	CustomServer, CustomDate bool
	// CustomLength: Content-Length is in Headers, not made from ContentLength.
	CustomLength bool
	AllowRanges  bool
	SingleRange  bool // one at most: the body comes in pieces
	// Part: what ranges are of comes by several requests' bodies. This one's begins at Offset;
	// behind the range filter that is where the range begins (content_offset).
	Part   bool
	Offset int64
	// Blank has a bit for each special header that a script removed: its variable is
	// "" then, where one that was never set has no value.
	Blank uint8
	// CharsetOverride is the charset that an upstream asks for (X-Accel-Charset).
	CharsetOverride string
	// PassedOn: the response is an upstream's, or a script's that said so, which has looked at the client's
	// conditions itself.
	PassedOn bool
	// NoContentType: the script removed Content-Type; no default is put in.
	NoContentType bool
}

// reset makes the response empty and keeps its memory.
func (o *Response) reset() {
	headers := o.Headers[:0]
	clear(o.Headers)
	*o = Response{ContentLength: -1, LastModified: -1, Headers: headers}
}

// SetLocation makes a redirect's target; one without a host is completed when the
// head is sent (absolute_redirect).
func (o *Response) SetLocation(target string) {
	o.ClearLocation()
	if strings.HasPrefix(target, "/") {
		o.Location = target
		return
	}
	o.Headers.Add("Location", target)
}

// ClearLocation removes a redirect's target.
func (o *Response) ClearLocation() {
	o.Location = ""
	o.Headers.Del("Location")
}

// ClearLength forgets the length of the body.
func (o *Response) ClearLength() {
	o.ContentLength = -1
	if o.CustomLength {
		o.Headers.Del("Content-Length")
		o.CustomLength = false
	}
}

// OutName names the headers that live outside the list.
type OutName uint8

const (
	OutOther OutName = iota
	OutServer
	OutDate
	OutContentType
	OutContentLength
	OutLastModified
	OutLocation
)

// ClearRanges takes back that parts of the body may be asked for.
func (o *Response) ClearRanges() {
	o.AllowRanges = false
	if len(o.Headers) > 0 {
		o.Headers.Del("Accept-Ranges")
	}
}

// Classify tells whether a header is one of the special ones; the length is
// looked at first, so that most names cost one comparison.
func Classify(name string) OutName {
	switch len(name) {
	case 4:
		if ngxtext.EqualFold(name, "Date") {
			return OutDate
		}
	case 6:
		if ngxtext.EqualFold(name, "Server") {
			return OutServer
		}
	case 8:
		if ngxtext.EqualFold(name, "Location") {
			return OutLocation
		}
	case 12:
		if ngxtext.EqualFold(name, "Content-Type") {
			return OutContentType
		}
	case 13:
		if ngxtext.EqualFold(name, "Last-Modified") {
			return OutLastModified
		}
	case 14:
		if ngxtext.EqualFold(name, "Content-Length") {
			return OutContentLength
		}
	}
	return OutOther
}

// Set gives a response header one value.
func (o *Response) Set(name, value string) {
	switch Classify(name) {
	case OutContentType:
		o.ContentType, o.NoContentType = value, false
		if strings.IndexByte(value, ';') >= 0 {
			o.Charset = ""
		}
		return
	case OutContentLength:
		n, ok := ngxtext.ParseDecimal(value)
		if !ok {
			return
		}
		o.ContentLength, o.CustomLength = n, true
	case OutLastModified:
		o.LastModified = -1
		if t, ok := ngxtext.ParseHTTPTime(value); ok {
			o.LastModified = t
		}
	case OutServer:
		o.CustomServer = true
	case OutDate:
		o.CustomDate = true
	case OutLocation:
		o.Location = ""
	}
	o.Headers.Set(name, value)
}

// Add appends a value to a response header that may have several.
func (o *Response) Add(name, value string) {
	if Classify(name) != OutOther {
		o.Set(name, value)
		return
	}
	o.Headers.Add(name, value)
}

// Del removes a response header. Server and Date are not made up again.
func (o *Response) Del(name string) {
	switch Classify(name) {
	case OutContentType:
		o.ContentType, o.Charset, o.NoContentType = "", "", true
		return
	case OutContentLength:
		o.ContentLength, o.CustomLength = -1, false
	case OutLastModified:
		o.LastModified = -1
	case OutServer:
		o.CustomServer = true
	case OutDate:
		o.CustomDate = true
	case OutLocation:
		o.Location = ""
	}
	o.Headers.Del(name)
}

// variable is the value of $sent_http_NAME for a special header.
func (o *Response) variable(name string) (string, bool) {
	if v, ok := o.Get(name); ok {
		return v, true
	}
	return "", o.Blank>>Classify(name)&1 != 0
}

// Get is the value of a response header as it stands now; headers that are
// only made when the head is sent (Date, Server, Connection) have none.
func (o *Response) Get(name string) (string, bool) {
	switch Classify(name) {
	case OutContentType:
		return o.FullContentType(), o.ContentType != ""
	case OutContentLength:
		if o.CustomLength {
			break
		}
		return strconv.FormatInt(o.ContentLength, 10), o.ContentLength >= 0
	case OutLastModified:
		if o.LastModified >= 0 && !o.Headers.Has(name) {
			return ngxtext.FormatHTTPTime(o.LastModified), true
		}
	case OutLocation:
		if o.Location != "" {
			return o.Location, true
		}
	}
	return o.Headers.Get(name)
}

// FullContentType is the Content-Type with its charset.
func (o *Response) FullContentType() string {
	if o.Charset == "" || o.ContentType == "" || strings.IndexByte(o.ContentType, ';') >= 0 {
		return o.ContentType
	}
	return o.ContentType + "; charset=" + o.Charset
}

// SendText answers with a text, or with a Location for redirect statuses
// (ngx_http_send_response).
func (r *Request) SendText(status int, text []byte) int {
	if rc := r.DiscardBody(); rc != OK {
		return rc
	}
	r.Out.Status = status
	switch status {
	case 301, 302, 303, 307, 308:
		r.Out.SetLocation(string(text))
		return status
	}
	r.Out.ContentLength = int64(len(text))
	r.SetContentType()
	if rc := r.SendHeader(); rc == Error || rc > OK || r.HeaderOnly {
		return rc
	}
	if len(text) == 0 && r != r.Main {
		return OK // copy_filter drops an empty buffer that ends only a subrequest
	}
	return r.Output(text, true)
}
