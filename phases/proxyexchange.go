package phases

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// exchange is one proxied request: its attempts, and the response of the one
// that answered.
type exchange struct {
	r      *Request
	conf   *proxyConf
	t      *proxyTarget
	rec    *upstreamRecord
	st     *upstreamState // of rec
	up     *Upstream
	choice *peerChoice
	local  net.Addr // proxy_bind, nil for any
	watch  proxyWatch
	start  time.Time // of the first attempt
	begun  time.Time // of the current one

	head   []byte
	body   outgoing
	isHead bool // the upstream is asked for HEAD

	peer      *upstreamPeer // of the current attempt, nil when the balancer named it
	occupied  bool          // the attempt has not been given back to its peer
	conn      *upstreamConn
	cached    bool // conn was kept, and has not answered yet
	connected bool // this attempt has sent something
	sender    *bodySender
	in        responseReader

	buffering bool // the response is gathered before it is passed on
}

// proxyHandler is the content handler of proxy_pass
// (ngx_http_proxy_handler, ngx_http_upstream.c).
func proxyHandler(r *Request) int {
	p := proxyLoc.of(r.Loc)
	if p.pass == nil {
		return rcDeclined
	}
	t, rc := proxyTo(r, p)
	if rc != rcOK {
		newUpstreamState(r)
		*proxyNote.of(r) = proxyVars{}
		return rc
	}
	x := &exchange{r: r, conf: p, t: t, up: t.up}
	if rc := x.takeBody(); rc != rcOK {
		return rc
	}
	x.rec = newUpstreamState(r)
	x.rec.separate()
	x.st = &x.rec.state
	x.st.scheme, x.st.maxTries = t.scheme(), p.nextTries.v
	x.st.connect, x.st.send, x.st.read = p.connect.v, p.send.v, p.read.v
	*proxyNote.of(r) = proxyVars{host: t.host, port: t.port}
	if rc := x.build(); rc != rcOK {
		return rc
	}
	x.local = p.bind.v.address(r)
	defer x.end()
	x.watch.start(x)
	if x.up == nil {
		if rc := x.resolve(); rc != rcOK {
			return rc
		}
	}
	return x.run()
}

// run asks peers until one answers.
func (x *exchange) run() int {
	x.choice = x.up.choose(x.r)
	if limit := x.st.maxTries; limit > 0 {
		x.choice.tries = min(x.choice.tries, limit)
	}
	x.start = time.Now()
	for {
		kind, rc := x.attempt()
		if rc != rcOK {
			return rc
		}
		if kind == 0 {
			if kind = x.refusedStatus(); kind == 0 {
				return x.answer()
			}
		}
		if rc, again := x.next(kind); !again {
			return rc
		}
	}
}

// try is the record of the current attempt.
func (x *exchange) try() *upstreamTry { return &x.rec.tries[len(x.rec.tries)-1] }

// action is what log lines say is being done, " while ...".
func (x *exchange) action(text string) { x.r.action = text }

// attempt asks one peer and reads the head of its response. It returns how it
// failed, or a status that ends the request.
func (x *exchange) attempt() (nextKind, int) {
	r := x.r
	x.action(" while connecting to upstream")
	x.rec.tries = append(x.rec.tries, upstreamTry{connect: noTime, header: noTime, response: noTime})
	x.begun = time.Now()
	x.connected, x.cached = false, false
	x.in.received = 0
	x.st.headers, x.st.separator = nil, ""
	addr, rc := x.choose()
	if rc != rcOK {
		return 0, rc
	}
	if addr == "" {
		x.st.peer = x.up.Name
		x.try().peer = x.st.peer
		r.Log(errlog.Err, "no live upstreams")
		return nextNoLive, rcOK
	}
	x.occupied = true
	x.st.peer, x.try().peer = addr, addr
	if strings.HasPrefix(addr, "unix:") {
		x.st.separator = ":"
	}
	r.flushBeforeWait()
	var kind nextKind
	r.wait(func() { kind, rc = x.talk(addr) })
	if x.watch.gone() {
		return 0, x.abandoned()
	}
	return kind, rc
}

// abandoned ends an exchange whose client has gone.
func (x *exchange) abandoned() int {
	if x.r.post != nil { // the script's own watch tells of it
		return statusClientClosed
	}
	x.r.Log(errlog.Info, "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too")
	return statusClientClosed
}

// choose finds the address of the next attempt, "" when there is none.
func (x *exchange) choose() (addr string, rc int) {
	x.peer = nil
	if x.up.balancer != nil {
		if rc := x.balance(); rc != rcOK {
			return "", rc
		}
		if x.st.named != "" {
			return x.st.named, rcOK
		}
	}
	if x.peer = x.choice.next(); x.peer == nil {
		return "", rcOK
	}
	return x.peer.addr, rcOK
}

// balance asks the balancer, which is told of the attempts so far.
func (x *exchange) balance() int {
	st := x.st
	st.named, st.moreTries, st.tries = "", 0, x.choice.tries
	st.runs++
	if rc := x.up.balancer(x.r); rc != rcOK {
		return rc
	}
	if st.rebuild {
		st.rebuild = false
		if rc := x.build(); rc != rcOK {
			return rc
		}
	}
	if st.named != "" {
		x.up.balanced.Store(true)
		x.choice.tries += st.moreTries
	}
	return rcOK
}

// talk sends the request to addr and reads the head of the response. It runs
// without the baton.
func (x *exchange) talk(addr string) (nextKind, int) {
	kind, rc := x.connect(addr)
	if kind != 0 || rc != rcOK {
		return kind, rc
	}
	x.try().connect = time.Since(x.begun)
	if x.cached {
		x.try().connect = 0
	}
	x.action(" while sending request to upstream")
	x.connected = true
	x.conn.begin(x.st.read, x.st.send)
	if err := x.send(); err != nil {
		return x.broken(x.writeCall(), err), rcOK
	}
	x.action(" while reading response header from upstream")
	x.in.start(x.conn)
	err := x.in.readHead(int(x.conf.bufferSize.v))
	x.account()
	if x.in.received > 0 {
		x.cached = false
	}
	x.st.headers = x.in.head.headers
	if err != nil {
		if failure := x.sender.failure(); failure != nil {
			x.action(" while sending request to upstream")
			var client *clientError
			if errors.As(failure, &client) {
				return 0, client.status()
			}
			return x.broken(x.writeCall(), failure), rcOK
		}
		return x.badHead(err), rcOK
	}
	x.try().header = time.Since(x.begun)
	x.try().status = x.in.head.status
	if x.in.head.bare {
		x.r.Log(errlog.Err, "upstream sent no valid HTTP/1.0 header")
		x.try().status = 200
	}
	return 0, rcOK
}

// writeCall is the system call that log lines blame for failed writes.
func (x *exchange) writeCall() string {
	if x.t.tls {
		return "SSL_write()"
	}
	return "writev()"
}

// broken logs a network error and says how the attempt failed.
func (x *exchange) broken(call string, err error) nextKind {
	switch {
	case isTimeout(err):
		return nextTimeout
	case !x.watch.gone():
		x.r.Logf(errlog.Err, "%s failed (%s)", call, conf.Errno(err))
	}
	return nextError
}

// badHead logs what is wrong with the head of a response.
func (x *exchange) badHead(err error) nextKind {
	var bad headError
	switch {
	case errors.Is(err, io.EOF):
		x.r.Log(errlog.Err, "upstream prematurely closed connection")
		return nextError
	case errors.As(err, &bad), errors.Is(err, errBigHead):
		x.r.Log(errlog.Err, err.Error())
		return nextInvalid
	}
	return x.broken("recv()", err)
}

// account notes how much the current attempt has read and written.
func (x *exchange) account() {
	t := x.try()
	t.received = x.in.received
	if x.conn != nil {
		t.sent = x.conn.sent()
	}
}

// release gives the attempt back to its peer.
func (x *exchange) release(failed bool) {
	if !x.occupied {
		return
	}
	x.occupied = false
	defer func() { x.st.separator = "" }() // log lines no longer know that it is a socket
	switch {
	case x.peer == nil: // the balancer named it
		if x.choice.tries > 0 {
			x.choice.tries--
		}
	case x.choice.done(x.peer, failed):
		x.r.Log(errlog.Warn, "upstream server temporarily disabled")
	}
}

// drop closes the connection of the current attempt.
func (x *exchange) drop() {
	if c := x.conn; c != nil {
		x.watch.hold(nil)
		x.conn = nil
		c.abandon()
		x.sender.wait(x.r)
	}
}

// end is called when the exchange is over, however it ended.
func (x *exchange) end() {
	x.watch.stop()
	if len(x.rec.tries) > 0 {
		if t := x.try(); t.peer != "" && t.response == noTime {
			t.response = time.Since(x.begun)
			x.account()
		}
	}
	x.release(false)
	x.drop()
	x.in.release()
	x.action(" while sending to client")
}

// resolve looks the name of the upstream up, for a proxy_pass with variables.
func (x *exchange) resolve() int {
	r, name := x.r, x.t.server
	rc := r.Loc.resolver.v
	if rc == nil || len(rc.Servers) == 0 {
		r.Logf(errlog.Err, "no resolver defined to resolve %s", name)
		return 502
	}
	var addrs []string
	var failure *resolveError
	r.flushBeforeWait()
	r.wait(func() {
		ctx, cancel := context.WithTimeout(x.watch.context(), r.Loc.resolverTimeout.v)
		defer cancel()
		addrs, failure = rc.lookup(ctx, r.logger(), name)
	})
	if x.watch.gone() {
		return x.abandoned()
	}
	if failure != nil {
		r.Log(errlog.Err, failure.Error())
		return 502
	}
	x.useAddrs(addrs)
	return rcOK
}
