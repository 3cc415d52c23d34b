package phases

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// hiddenHeaders of an upstream are not passed on; the rest of the list is
// handled by this server itself.
var hiddenHeaders = map[string]bool{
	"date": true, "server": true, "x-pad": true, "x-accel-expires": true, "x-accel-redirect": true,
	"x-accel-limit-rate": true, "x-accel-buffering": true, "x-accel-charset": true,
}

// answer sends the upstream's response to the client.
func (x *exchange) answer() int {
	r := x.r
	defer x.close()
	x.note(&x.st.statuses, strconv.Itoa(x.status))
	if x.status >= 300 && r.Loc.proxyIntercept.v {
		for i := range r.Loc.errorPages {
			if r.Loc.errorPages[i].code == x.status {
				r.Out.StatusLine = ""
				if x.status == 401 {
					if v, ok := x.st.headers.Get("WWW-Authenticate"); ok {
						r.Out.Headers.Add("WWW-Authenticate", v)
					}
				}
				return x.status
			}
		}
	}
	if x.redirect != "" && !containsFold(r.Loc.proxyIgnoreHeaders, "X-Accel-Redirect") {
		return x.accelRedirect()
	}
	x.copyHeaders()
	r.Out.Status = x.status
	bodyless := r.Method == "HEAD" || x.status == 204 || x.status == 304
	if x.chunked {
		x.length = -1
	}
	r.Out.ContentLength = x.length
	if rc := r.SendHeader(); rc != rcOK {
		return rc
	}
	if bodyless || r.HeaderOnly && r == r.Main {
		x.finishConn(bodyless)
		return r.output(nil, outLast)
	}
	if x.streams() && x.conn.rd.Buffered() == 0 {
		// The head need not wait for a body that has yet to come.
		if rc := r.output(nil, outFlush); rc != rcOK {
			return rc
		}
	}
	return x.copyBody()
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if equalFold(s, name) {
			return true
		}
	}
	return false
}

// accelRedirect moves the request to where X-Accel-Redirect points.
func (x *exchange) accelRedirect() int {
	r := x.r
	for i := range x.st.headers {
		switch h := &x.st.headers[i]; lowerString(h.Name) {
		case "content-type", "set-cookie", "cache-control", "expires", "content-disposition", "accept-ranges":
			r.Out.Add(h.Name, h.Value)
		}
	}
	r.Out.StatusLine = ""
	if strings.HasPrefix(x.redirect, "@") {
		return r.NamedRedirect(x.redirect)
	}
	uri, args, ok := r.openTarget(x.redirect)
	if !ok {
		return 404
	}
	if r.Method != "HEAD" {
		r.Method = "GET"
	}
	return r.InternalRedirect(uri, args)
}

// copyHeaders takes the upstream's headers over.
func (x *exchange) copyHeaders() {
	r, o, l := x.r, &x.r.Out, x.r.Loc
	for i := range x.st.headers {
		h := &x.st.headers[i]
		name := lowerString(h.Name)
		if hiddenHeaders[name] && !containsFold(l.proxyPassThrough, name) || containsFold(l.proxyHide, name) {
			continue
		}
		switch name {
		case "connection", "keep-alive", "transfer-encoding", "content-length":
		case "content-type":
			o.ContentType = h.Value
		case "last-modified":
			o.LastModified = -1
			if t, ok := parseHTTPTime(h.Value); ok {
				o.LastModified = t
			}
			o.Headers.Add(h.Name, h.Value)
		case "server":
			o.Set("Server", h.Value)
		case "date":
			o.Set("Date", h.Value)
		case "location":
			x.copyLocation(h.Value)
		case "refresh":
			if at := strings.Index(lowerString(h.Value), "url="); at >= 0 {
				o.Headers.Add(h.Name, h.Value[:at+4]+x.rewriteLocation(h.Value[at+4:]))
			} else {
				o.Headers.Add(h.Name, h.Value)
			}
		default:
			o.Headers.Add(h.Name, h.Value)
		}
	}
	if r.Loc.proxyPass.vars.isStatic() || o.ContentLength >= 0 {
		o.allowRanges = false
	}
}

// copyLocation passes a redirect on as proxy_redirect says.
func (x *exchange) copyLocation(value string) {
	value = x.rewriteLocation(value)
	if strings.HasPrefix(value, "/") {
		x.r.Out.Location = value // the header filter completes it
		return
	}
	x.r.Out.Headers.Add("Location", value)
}

// rewriteLocation applies the first proxy_redirect that fits.
func (x *exchange) rewriteLocation(value string) string {
	r, l := x.r, x.r.Loc
	if l.proxyRedirectOff {
		return value
	}
	for i := range l.proxyRedirects {
		pr := &l.proxyRedirects[i]
		if pr.re != nil {
			if pr.re.exec(r, value) == rcOK {
				return pr.to.eval(r)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(value, pr.from.eval(r)); ok {
			return pr.to.eval(r) + rest
		}
	}
	if l.proxyRedirects == nil && l.kind != matchRegex && x.t.vars.isStatic() {
		url := x.t.locationURL()
		if x.t.uri == "" {
			if rest, ok := strings.CutPrefix(value, url+"/"); ok {
				return "/" + rest
			}
			return value
		}
		if rest, ok := strings.CutPrefix(value, url); ok {
			return l.name + rest
		}
	}
	return value
}

// streams reports whether what the upstream sends goes out at once.
func (x *exchange) streams() bool { return !x.r.Loc.proxyBuffering.v || x.unbuffer }

// copyBody passes the body on as it comes.
func (x *exchange) copyBody() int {
	r := x.r
	body := x.bodyReader()
	buf := make([]byte, 16<<10)
	flags := 0
	if x.streams() {
		flags = outFlush
	}
	x.st.action = "reading upstream"
	if flags != 0 {
		x.st.action = "sending to client"
	}
	var total int64
	for {
		var n int
		var err error
		r.wait(func() {
			x.conn.SetReadDeadline(time.Now().Add(x.st.read))
			n, err = body.Read(buf)
			if r.captured == nil && r.Main.Conn.Buffered() > maxPending {
				r.Main.Conn.Flush()
			}
		})
		total += int64(n)
		if n > 0 {
			if rc := r.output(buf[:n], flags); rc != rcOK {
				return rc
			}
		}
		if err == nil {
			continue
		}
		x.note(&x.st.lengths, itoa(total))
		if errors.Is(err, io.EOF) {
			x.finishConn(true)
			return r.output(nil, outLast)
		}
		return x.brokenBody(err)
	}
}

// maxPending is how much output may wait for a slow client before the upstream
// is left to wait as well.
const maxPending = 256 << 10

// brokenBody ends a response whose upstream failed in the middle.
func (x *exchange) brokenBody(err error) int {
	r := x.r
	if isTimeout(err) {
		r.Logf(LogErr, "upstream timed out (110: Connection timed out) while %s", x.st.action)
	} else {
		r.Logf(LogErr, "upstream prematurely closed connection while %s", x.st.action)
	}
	if r.captured != nil {
		r.captured.truncated = true
		return rcOK
	}
	return rcError
}

// finishConn keeps the connection for later when the response was read to its
// end and the peer allows it.
func (x *exchange) finishConn(complete bool) {
	if complete && x.keep && x.t.up.keepalive > 0 && (x.length >= 0 || x.chunked) && x.conn != nil {
		x.t.up.keep(x.conn)
		x.conn = nil
	}
}

// bodyReader gives the response's body without its framing.
func (x *exchange) bodyReader() io.Reader {
	switch {
	case x.chunked:
		return &chunkReader{rd: x.conn.rd}
	case x.length >= 0:
		return &exactReader{rd: x.conn.rd, left: x.length}
	}
	return x.conn.rd
}

// exactReader reads a body of a known length; an early end is an error.
type exactReader struct {
	rd   *bufio.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.rd.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkReader removes the chunked coding.
type chunkReader struct {
	rd   *bufio.Reader
	left int64
	some bool // a chunk has been read, so its line end comes before the next size
	done bool
}

func (c *chunkReader) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.done {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.rd.Read(p)
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the line before a chunk, and the trailer behind the last.
func (c *chunkReader) next() error {
	if c.some {
		if _, err := readLine(c.rd); err != nil {
			return err
		}
	}
	line, err := readLine(c.rd)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
	if err != nil {
		return errBadHead
	}
	c.left, c.some = int64(n), true
	if n > 0 {
		return nil
	}
	c.done = true
	for {
		line, err := readLine(c.rd)
		if err != nil || line == "" {
			return err
		}
	}
}
