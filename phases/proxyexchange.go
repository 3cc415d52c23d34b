package phases

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	rt "github.com/moonphase/moonphase/runtime"
)

// exchange is one proxied request: its attempts, and the response of the one
// that answered.
type exchange struct {
	r       *Request
	t       *proxyTarget
	st      *upstreamState
	head    []byte
	body    []byte
	conn    *upstreamConn
	peer    *upstreamPeer
	started time.Time

	status    int
	version11 bool
	length    int64 // of the response's body, -1: until the end
	chunked   bool
	keep      bool // the connection can be used again
	simple    bool // HTTP/0.9: no head
	redirect  string
	unbuffer  bool
}

// proxyHandler is the content handler of proxy_pass
// (ngx_http_proxy_handler, ngx_http_upstream.c).
func (r *Request) proxyHandler() int {
	if r.Loc.proxyPass == nil {
		return rcDeclined
	}
	t, err := r.proxyTo()
	if err != nil {
		r.Log(LogErr, err.Error())
		return 500
	}
	if rc := r.ReadBody(nil); rc != rcOK {
		return rc
	}
	x := &exchange{r: r, t: t, st: &upstreamState{target: t}}
	r.upstream = x.st
	l := r.Loc
	x.st.connect, x.st.send, x.st.read = l.proxyConnect.v, l.proxySend.v, l.proxyRead.v
	if rc := x.build(); rc != rcOK {
		return rc
	}
	if rc := x.attempts(); rc != rcOK {
		return rc
	}
	return x.answer()
}

// build makes the request that goes to the upstream.
func (x *exchange) build() int {
	r, l := x.r, x.r.Loc
	if l.proxySetBody.set {
		x.body = []byte(l.proxySetBody.v.eval(r))
	} else if l.proxyPassBody.v {
		var err error
		if x.body, err = r.bodyRead().BodyBytes(); err != nil {
			r.Logf(LogCrit, "%v", err)
			return 500
		}
	}
	method := r.Method
	if m := l.proxyMethod.v.eval(r); m != "" {
		method = m
	}
	uri := r.proxyURI(x.t)
	scheme := "http://"
	if x.t.tls {
		scheme = "https://"
	}
	x.st.name = scheme + x.t.host + uri
	var b []byte
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, uri...)
	if l.proxyHTTPVersion.v == 1 {
		b = append(b, " HTTP/1.1\r\n"...)
	} else {
		b = append(b, " HTTP/1.0\r\n"...)
	}
	written := map[string]bool{}
	for i := range l.proxySetHeaders {
		h := &l.proxySetHeaders[i]
		written[lowerString(h.name)] = true
		if v := h.value.eval(r); v != "" {
			b = appendHeader(b, h.name, v)
		}
	}
	if !written["host"] {
		b = appendHeader(b, "Host", x.t.hostHeader())
	}
	if !written["connection"] {
		b = append(b, "Connection: close\r\n"...)
	}
	if !written["content-length"] && (l.proxySetBody.set || r.ContentLength >= 0 && l.proxyPassBody.v) {
		b = appendHeader(b, "Content-Length", itoa(int64(len(x.body))))
	}
	for _, name := range []string{"host", "connection", "content-length", "transfer-encoding", "te", "keep-alive", "expect", "upgrade"} {
		written[name] = true
	}
	if l.proxyPassHeaders.v {
		for i := range r.In {
			if !written[lowerString(r.In[i].Name)] {
				b = appendHeader(b, r.In[i].Name, r.In[i].Value)
			}
		}
	}
	x.head = append(b, '\r', '\n')
	return rcOK
}

// hostHeader is the Host that an upstream is asked for by default.
func (t *proxyTarget) hostHeader() string {
	if strings.HasPrefix(t.host, "unix:") {
		return "localhost"
	}
	return t.host
}

// attempts asks peers until one answers; the result is rcOK with the head of
// the response read, or a status.
func (x *exchange) attempts() int {
	r := x.r
	tried := map[*upstreamPeer]bool{}
	limit := r.Loc.proxyNextTries.v
	for left := len(x.t.up.peers); ; {
		x.st.tries++
		rc := x.attempt(tried)
		left += x.st.moreTries - 1
		x.st.moreTries = 0
		if rc == rcOK || rc == statusClientClosed || left <= 0 || limit > 0 && x.st.tries >= limit || !x.mayRetry(rc) {
			return rc
		}
		x.st.lastStatus, x.st.lastReason = rc, "failed"
	}
}

// mayRetry tells whether proxy_next_upstream allows another attempt after a
// failure of this kind.
func (x *exchange) mayRetry(rc int) bool {
	for _, word := range x.r.Loc.proxyNext.v {
		switch {
		case word == "off":
			return false
		case word == "error" && rc == 502, word == "timeout" && rc == 504, word == "http_"+strconv.Itoa(rc):
			if m := x.r.Method; m == "POST" || m == "LOCK" || m == "PATCH" {
				return x.st.action == "connecting to upstream" || strings.Contains(strings.Join(x.r.Loc.proxyNext.v, " "), "non_idempotent")
			}
			return true
		}
	}
	return false
}

// attempt asks one peer.
func (x *exchange) attempt(tried map[*upstreamPeer]bool) int {
	r, st := x.r, x.st
	addr, rc := x.choose(tried)
	if rc != rcOK {
		return rc
	}
	x.note(&st.addrs, addr)
	st.name = strings.Replace(st.name, x.t.host, addr, 1)
	x.started = time.Now()
	rc = 502
	stop := x.watchClient()
	r.flushBeforeWait()
	r.wait(func() { rc = x.talk(addr) })
	if stop() {
		rc = statusClientClosed
	}
	x.t.up.done(x.peer, rc != rcOK)
	x.note(&st.times, milliseconds(time.Since(x.started)))
	if rc != rcOK {
		x.note(&st.statuses, strconv.Itoa(rc))
		x.close()
	}
	return rc
}

// note appends the item of an attempt to a list.
func (x *exchange) note(list *string, item string) {
	if *list != "" {
		*list += ", "
	}
	*list += item
}

// choose finds the address of the next attempt.
func (x *exchange) choose(tried map[*upstreamPeer]bool) (string, int) {
	r, u := x.r, x.t.up
	if u.balancer != nil {
		x.st.Peer = ""
		_, exit, rc := r.runFilter(u.balancer, PhaseBalancer, nil)
		if rc != rcOK {
			return "", 500
		}
		if exit >= 200 || exit == rcError {
			return "", exit
		}
		if x.st.rebuild {
			x.st.rebuild = false
			if rc := x.build(); rc != rcOK {
				return "", rc
			}
		}
		if x.st.Peer != "" {
			x.peer = nil
			return x.st.Peer, rcOK
		}
	}
	p, err := u.pick(r, tried)
	if err != nil {
		r.Logf(LogErr, "no live upstreams while connecting to upstream")
		return "", 502
	}
	tried[p] = true
	x.peer = p
	return p.addr, rcOK
}

// watchClient closes the upstream connection when the client goes away. The
// function it returns ends the watch and tells whether that happened.
func (x *exchange) watchClient() func() bool {
	r := x.r
	if r.Loc.proxyIgnoreAbort.v || r.Main.Conn == nil {
		return func() bool { return false }
	}
	gone := r.Main.Conn.Aborted()
	if gone == nil {
		return func() bool { return false }
	}
	done := make(chan struct{})
	result := make(chan bool, 1)
	rt.Go(func() {
		select {
		case <-gone:
			if c := x.conn; c != nil {
				c.SetDeadline(time.Unix(1, 0))
			}
			result <- true
		case <-done:
			result <- false
		}
	})
	return func() bool {
		close(done)
		return <-result
	}
}

// talk sends the request to addr and reads the head of the response. It runs
// without the baton.
func (x *exchange) talk(addr string) int {
	u := x.t.up
	for {
		c := u.takeIdle(addr)
		if c == nil {
			var err error
			x.st.action = "connecting to upstream"
			if c, err = x.r.dialUpstream(x.t, addr, x.st.connect); isNoSlots(err) {
				x.r.Log(LogAlert, err.Error()+" while connecting to upstream")
				return 500
			}
			if err != nil {
				return x.failure("connect()", err)
			}
		}
		x.conn = c
		rc, stale := x.send(c)
		if !stale {
			return rc
		}
		c.Close() // the peer had closed an idle connection: try again with a new one
	}
}

// send writes the request and reads the response's head; stale is set when a
// kept connection turned out to be closed.
func (x *exchange) send(c *upstreamConn) (rc int, stale bool) {
	x.st.action = "sending request to upstream"
	c.SetWriteDeadline(time.Now().Add(x.st.send))
	bufs := net.Buffers{x.head, x.body}
	if _, err := bufs.WriteTo(c); err != nil {
		if c.used > 0 {
			return 0, true
		}
		return x.failure("send()", err), false
	}
	x.st.action = "reading response header from upstream"
	c.SetReadDeadline(time.Now().Add(x.st.read))
	err := x.readHead(c.rd)
	switch {
	case err == nil:
		return rcOK, false
	case errors.Is(err, io.EOF) && c.used > 0:
		return 0, true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		x.r.Logf(LogErr, "upstream prematurely closed connection while %s", x.st.action)
		return 502, false
	case errors.Is(err, errBadHead):
		x.r.Logf(LogErr, "%v while %s", err, x.st.action)
		return 502, false
	}
	return x.failure("recv()", err), false
}

// failure logs a network error and gives its status.
func (x *exchange) failure(call string, err error) int {
	if isTimeout(err) {
		x.r.Logf(LogErr, "upstream timed out (110: Connection timed out) while %s", x.st.action)
		return 504
	}
	x.r.Logf(LogErr, "%s failed %s while %s", call, sysText(err), x.st.action)
	return 502
}

// errBadHead is a response head that is no HTTP.
var errBadHead = errors.New("upstream sent invalid header")

// readHead reads status line and headers, passing over 1xx responses.
func (x *exchange) readHead(rd *bufio.Reader) error {
	for {
		if err := x.readOneHead(rd); err != nil || x.simple || x.status >= 200 || x.status == 101 {
			return err
		}
	}
}

func (x *exchange) readOneHead(rd *bufio.Reader) error {
	x.st.headers = nil
	start, err := rd.Peek(5)
	if err != nil && len(start) == 0 {
		return err
	}
	if !bytes.HasPrefix(start, []byte("HTTP/")) {
		x.r.Logf(LogErr, "upstream sent no valid HTTP/1.0 header while %s", x.st.action)
		x.simple, x.status, x.length, x.keep = true, 200, -1, false
		return nil
	}
	line, err := readLine(rd)
	if err != nil {
		return err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	n, ok := parseDecimal(code)
	if !ok || len(code) != 3 {
		return fmt.Errorf("%w: \"%s\"", errBadHead, line)
	}
	x.status, x.version11 = int(n), version == "HTTP/1.1"
	x.r.Out.StatusLine = ""
	if reason != "" {
		x.r.Out.StatusLine = code + " " + reason
	}
	x.length, x.chunked = -1, false
	x.keep = x.version11
	for {
		if line, err = readLine(rd); err != nil {
			return err
		}
		if line == "" {
			return nil
		}
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" {
			x.r.Logf(LogErr, "upstream sent invalid header: \"%s\" while %s", line, x.st.action)
			return errBadHead
		}
		x.header(name, strings.Trim(value, " \t"))
	}
}

// readLine reads a line without its end.
func readLine(rd *bufio.Reader) (string, error) {
	line, err := rd.ReadString('\n')
	if err != nil {
		if err == io.EOF && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// header notes a header of the response and what it says about framing.
func (x *exchange) header(name, value string) {
	x.st.headers.Add(name, value)
	switch lowerString(name) {
	case "content-length":
		if n, ok := parseDecimal(value); ok {
			x.length = n
		}
	case "transfer-encoding":
		x.chunked = equalFold(value, "chunked")
	case "connection":
		if equalFold(value, "close") {
			x.keep = false
		} else if equalFold(value, "keep-alive") {
			x.keep = true
		}
	case "x-accel-redirect":
		x.redirect = value
	case "x-accel-buffering":
		x.unbuffer = equalFold(value, "no")
	case "x-accel-limit-rate":
		if n, ok := parseDecimal(value); ok && !containsFold(x.r.Loc.proxyIgnoreHeaders, "X-Accel-Limit-Rate") {
			x.r.setRate(n)
		}
	}
}

func (x *exchange) close() {
	if x.conn != nil {
		x.conn.Close()
		x.conn = nil
	}
}
