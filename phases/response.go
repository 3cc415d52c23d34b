package phases

import (
	"strconv"
	"strings"
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

	// customServer and customDate suppress the lines nginx makes by itself:
	// the header is in Headers, or was removed.
	customServer, customDate bool
	// customLength: Content-Length is in Headers, not made from ContentLength.
	customLength bool
	allowRanges  bool
	// blank has a bit for each special header that a script removed: its variable is
	// "" then, where one that was never set has no value.
	blank uint8
	// charsetOverride is the charset that an upstream asks for (X-Accel-Charset).
	charsetOverride string
	// passedOn: the response is an upstream's, which has looked at the client's
	// conditions itself.
	passedOn bool
	// noContentType: the script removed Content-Type; no default is put in.
	noContentType bool
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
	if o.customLength {
		o.Headers.Del("Content-Length")
		o.customLength = false
	}
}

// outName names the headers that live outside the list.
type outName uint8

const (
	outOther outName = iota
	outServer
	outDate
	outContentType
	outContentLength
	outLastModified
	outLocation
)

// clearRanges takes back that parts of the body may be asked for.
func (o *Response) clearRanges() {
	o.allowRanges = false
	if len(o.Headers) > 0 {
		o.Headers.Del("Accept-Ranges")
	}
}

// classify tells whether a header is one of the special ones; the length is
// looked at first, so that most names cost one comparison.
func classify(name string) outName {
	switch len(name) {
	case 4:
		if equalFold(name, "Date") {
			return outDate
		}
	case 6:
		if equalFold(name, "Server") {
			return outServer
		}
	case 8:
		if equalFold(name, "Location") {
			return outLocation
		}
	case 12:
		if equalFold(name, "Content-Type") {
			return outContentType
		}
	case 13:
		if equalFold(name, "Last-Modified") {
			return outLastModified
		}
	case 14:
		if equalFold(name, "Content-Length") {
			return outContentLength
		}
	}
	return outOther
}

// Set gives a response header one value.
func (o *Response) Set(name, value string) {
	switch classify(name) {
	case outContentType:
		o.ContentType, o.noContentType = value, false
		if strings.IndexByte(value, ';') >= 0 {
			o.Charset = ""
		}
		return
	case outContentLength:
		n, ok := parseDecimal(value)
		if !ok {
			return
		}
		o.ContentLength, o.customLength = n, true
	case outLastModified:
		o.LastModified = -1
		if t, ok := parseHTTPTime(value); ok {
			o.LastModified = t
		}
	case outServer:
		o.customServer = true
	case outDate:
		o.customDate = true
	case outLocation:
		o.Location = ""
	}
	o.Headers.Set(name, value)
}

// Add appends a value to a response header that may have several.
func (o *Response) Add(name, value string) {
	if classify(name) != outOther {
		o.Set(name, value)
		return
	}
	o.Headers.Add(name, value)
}

// Del removes a response header. Server and Date are not made up again.
func (o *Response) Del(name string) {
	switch classify(name) {
	case outContentType:
		o.ContentType, o.Charset, o.noContentType = "", "", true
		return
	case outContentLength:
		o.ContentLength, o.customLength = -1, false
	case outLastModified:
		o.LastModified = -1
	case outServer:
		o.customServer = true
	case outDate:
		o.customDate = true
	case outLocation:
		o.Location = ""
	}
	o.Headers.Del(name)
}

// variable is the value of $sent_http_NAME for a special header.
func (o *Response) variable(name string) (string, bool) {
	if v, ok := o.Get(name); ok {
		return v, true
	}
	return "", o.blank>>classify(name)&1 != 0
}

// Get is the value of a response header as it stands now; headers that are
// only made when the head is sent (Date, Server, Connection) have none.
func (o *Response) Get(name string) (string, bool) {
	switch classify(name) {
	case outContentType:
		return o.contentType(), o.ContentType != ""
	case outContentLength:
		if o.customLength {
			break
		}
		return strconv.FormatInt(o.ContentLength, 10), o.ContentLength >= 0
	case outLastModified:
		if o.LastModified >= 0 && !o.Headers.Has(name) {
			return formatHTTPTime(o.LastModified), true
		}
	case outLocation:
		if o.Location != "" {
			return o.Location, true
		}
	}
	return o.Headers.Get(name)
}

// contentType is the Content-Type with its charset.
func (o *Response) contentType() string {
	if o.Charset == "" || o.ContentType == "" || strings.IndexByte(o.ContentType, ';') >= 0 {
		return o.ContentType
	}
	return o.ContentType + "; charset=" + o.Charset
}

// sendText answers with a text, or with a Location for redirect statuses
// (ngx_http_send_response).
func (r *Request) sendText(status int, text []byte) int {
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	r.Out.Status = status
	switch status {
	case 301, 302, 303, 307, 308:
		r.Out.SetLocation(string(text))
		return status
	}
	r.Out.ContentLength = int64(len(text))
	r.setContentType()
	if rc := r.SendHeader(); rc == rcError || rc > rcOK || r.HeaderOnly {
		return rc
	}
	if len(text) == 0 && r != r.Main {
		return rcOK // copy_filter drops an empty buffer that ends only a subrequest
	}
	return r.Output(text, true)
}
