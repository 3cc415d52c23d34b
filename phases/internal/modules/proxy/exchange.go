package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/resolver"
)

// exchange is one proxied request: its attempts, and the response of the one
// that answered.
type exchange struct {
	r      *core.Request
	conf   *config
	t      *target
	rec    *upstream.Record
	st     *upstream.State // of rec
	up     *upstream.Upstream
	choice *upstream.Choice
	local  net.Addr // proxy_bind, nil for any
	watch  watch
	start  time.Time // of the first attempt
	begun  time.Time // of the current one

	head   []byte
	body   outgoing
	isHead bool // the upstream is asked for HEAD

	peer      *upstream.Peer // of the current attempt, nil when the balancer named it
	occupied  bool           // the attempt has not been given back to its peer
	conn      *upstream.Conn
	cached    bool // conn was kept, and has not answered yet
	connected bool // this attempt has sent something
	sender    *bodySender
	in        upstream.ResponseReader

	buffering bool // the response is gathered before it is passed on
}

// handler is the content handler of proxy_pass
// (ngx_http_proxy_handler, ngx_http_upstream.c).
func handler(r *core.Request) int {
	p := loc.Of(r.Loc)
	if p.pass == nil {
		return core.Declined
	}
	t, rc := targetOf(r, p)
	if rc != core.OK {
		upstream.NewRecord(r)
		*note.Of(r) = vars{}
		return rc
	}
	x := &exchange{r: r, conf: p, t: t, up: t.up}
	if rc := x.takeBody(); rc != core.OK {
		return rc
	}
	x.rec = upstream.NewRecord(r)
	x.rec.Separate()
	x.st = &x.rec.State
	x.st.Scheme, x.st.MaxTries = t.scheme(), p.nextTries.V
	x.st.Connect, x.st.Send, x.st.Read = p.connect.V, p.send.V, p.read.V
	*note.Of(r) = vars{host: t.host, port: t.port}
	if rc := x.build(); rc != core.OK {
		return rc
	}
	x.local = p.bind.V.address(r)
	defer x.end()
	x.watch.start(x)
	if x.up == nil {
		if rc := x.resolve(); rc != core.OK {
			return rc
		}
	}
	return x.run()
}

// run asks peers until one answers.
func (x *exchange) run() int {
	x.choice = x.up.Choose(x.r)
	if limit := x.st.MaxTries; limit > 0 {
		x.choice.Tries = min(x.choice.Tries, limit)
	}
	x.start = time.Now()
	for {
		kind, rc := x.attempt()
		if rc != core.OK {
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
func (x *exchange) try() *upstream.Try { return &x.rec.Tries[len(x.rec.Tries)-1] }

// action is what log lines say is being done, " while ...".
func (x *exchange) action(text string) { x.r.Action = text }

// attempt asks one peer and reads the head of its response. It returns how it
// failed, or a status that ends the request.
func (x *exchange) attempt() (nextKind, int) {
	r := x.r
	x.action(" while connecting to upstream")
	x.rec.Tries = append(x.rec.Tries, upstream.Try{Connect: upstream.NoTime, Header: upstream.NoTime, Response: upstream.NoTime})
	x.begun = time.Now()
	x.connected, x.cached = false, false
	x.in.Received = 0
	x.st.Headers, x.st.Separator = nil, ""
	addr, rc := x.choose()
	if rc != core.OK {
		return 0, rc
	}
	if addr == "" {
		x.st.Current = x.up.Name
		x.try().Peer = x.st.Current
		r.Log(errlog.Err, "no live upstreams")
		return nextNoLive, core.OK
	}
	x.occupied = true
	x.st.Current, x.try().Peer = addr, addr
	if strings.HasPrefix(addr, "unix:") {
		x.st.Separator = ":"
	}
	r.FlushBeforeWait()
	var kind nextKind
	r.Wait(func() { kind, rc = x.talk(addr) })
	if x.watch.gone() {
		return 0, x.abandoned()
	}
	return kind, rc
}

// abandoned ends an exchange whose client has gone.
func (x *exchange) abandoned() int {
	if x.r.Post != nil { // the script's own watch tells of it
		return core.StatusClientClosed
	}
	x.r.Log(errlog.Info, "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too")
	return core.StatusClientClosed
}

// choose finds the address of the next attempt, "" when there is none.
func (x *exchange) choose() (addr string, rc int) {
	x.peer = nil
	if x.up.Balancer != nil {
		if rc := x.balance(); rc != core.OK {
			return "", rc
		}
		if x.st.Named != "" {
			return x.st.Named, core.OK
		}
	}
	if x.peer = x.choice.Next(); x.peer == nil {
		return "", core.OK
	}
	return x.peer.Addr, core.OK
}

// balance asks the balancer, which is told of the attempts so far.
func (x *exchange) balance() int {
	st := x.st
	st.Named, st.MoreTries, st.Tries = "", 0, x.choice.Tries
	st.Runs++
	if rc := x.up.Balancer(x.r); rc != core.OK {
		return rc
	}
	if st.Rebuild {
		st.Rebuild = false
		if rc := x.build(); rc != core.OK {
			return rc
		}
	}
	if st.Named != "" {
		x.up.Balanced.Store(true)
		x.choice.Tries += st.MoreTries
	}
	return core.OK
}

// talk sends the request to addr and reads the head of the response. It runs
// without the baton.
func (x *exchange) talk(addr string) (nextKind, int) {
	kind, rc := x.connect(addr)
	if kind != 0 || rc != core.OK {
		return kind, rc
	}
	x.try().Connect = time.Since(x.begun)
	if x.cached {
		x.try().Connect = 0
	}
	x.action(" while sending request to upstream")
	x.connected = true
	x.conn.Begin(x.st.Read, x.st.Send)
	if err := x.send(); err != nil {
		return x.broken(x.writeCall(), err), core.OK
	}
	x.action(" while reading response header from upstream")
	x.in.Start(x.conn)
	err := x.in.ReadHead(int(x.conf.bufferSize.V))
	x.account()
	if x.in.Received > 0 {
		x.cached = false
	}
	x.st.Headers = x.in.Head.Headers
	if err != nil {
		if failure := x.sender.failure(); failure != nil {
			x.action(" while sending request to upstream")
			var client *clientError
			if errors.As(failure, &client) {
				return 0, client.status()
			}
			return x.broken(x.writeCall(), failure), core.OK
		}
		return x.badHead(err), core.OK
	}
	if x.conf.firstHeaders {
		x.keepFirst()
	}
	x.try().Header = time.Since(x.begun)
	x.try().Status = x.in.Head.Status
	if x.in.Head.Bare {
		x.r.Log(errlog.Err, "upstream sent no valid HTTP/1.0 header")
		x.try().Status = 200
	}
	return 0, core.OK
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
	case core.IsTimeout(err):
		return nextTimeout
	case !x.watch.gone():
		x.r.Logf(errlog.Err, "%s failed (%s)", call, conf.Errno(err))
	}
	return nextError
}

// badHead logs what is wrong with the head of a response.
func (x *exchange) badHead(err error) nextKind {
	var bad upstream.HeadError
	switch {
	case errors.Is(err, io.EOF):
		x.r.Log(errlog.Err, "upstream prematurely closed connection")
		return nextError
	case errors.As(err, &bad), errors.Is(err, upstream.ErrBigHead):
		x.r.Log(errlog.Err, err.Error())
		return nextInvalid
	}
	return x.broken("recv()", err)
}

// account notes how much the current attempt has read and written.
func (x *exchange) account() {
	t := x.try()
	t.Received = x.in.Received
	if x.conn != nil {
		t.Sent = x.conn.Sent()
	}
}

// release gives the attempt back to its peer.
func (x *exchange) release(failed bool) {
	if !x.occupied {
		return
	}
	x.occupied = false
	defer func() { x.st.Separator = "" }() // log lines no longer know that it is a socket
	switch {
	case x.peer == nil: // the balancer named it
		if x.choice.Tries > 0 {
			x.choice.Tries--
		}
	case x.choice.Done(x.peer, failed):
		x.r.Log(errlog.Warn, "upstream server temporarily disabled")
	}
}

// drop closes the connection of the current attempt.
func (x *exchange) drop() {
	if c := x.conn; c != nil {
		x.watch.hold(nil)
		x.conn = nil
		c.Abandon()
		x.sender.wait(x.r)
	}
}

// end is called when the exchange is over, however it ended.
func (x *exchange) end() {
	x.watch.stop()
	if len(x.rec.Tries) > 0 {
		if t := x.try(); t.Peer != "" && t.Response == upstream.NoTime {
			t.Response = time.Since(x.begun)
			x.account()
		}
	}
	x.release(false)
	x.drop()
	x.in.Release()
	x.action(" while sending to client")
}

// resolve looks the name of the upstream up, for a proxy_pass with variables.
func (x *exchange) resolve() int {
	r, name := x.r, x.t.server
	rc := r.Loc.Resolver.V
	if rc == nil || len(rc.Servers) == 0 {
		r.Logf(errlog.Err, "no resolver defined to resolve %s", name)
		return 502
	}
	var addrs []string
	var failure *resolver.Error
	r.FlushBeforeWait()
	r.Wait(func() {
		ctx, cancel := context.WithTimeout(x.watch.context(), r.Loc.ResolverTimeout.V)
		defer cancel()
		addrs, failure = rc.Lookup(ctx, r.Logger(), name)
	})
	if x.watch.gone() {
		return x.abandoned()
	}
	if failure != nil {
		r.Log(errlog.Err, failure.Error())
		return 502
	}
	x.useAddrs(addrs)
	return core.OK
}
