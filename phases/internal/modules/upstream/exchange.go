package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/resolver"
	"github.com/moonphase/moonphase/runtime/inet"
)

// Protocol is what exchanges differ in by what is spoken with the upstream. What a module
// keeps for a request embeds an Exchange and is its Protocol.
type Protocol interface {
	// Create makes Exchange.Head, which begins the request, and may frame Exchange.Body.
	// It is asked again when a balancer has changed what they are made of. Another
	// result than core.OK ends the request (create_request).
	Create() int
	// Reset forgets what was read from the peer before, as another one is asked now
	// (reinit_request).
	Reset()
	// ParseHead reads the head of a response into Exchange.In.Head. b is what has come
	// and was not taken yet, n how much of it is taken now; done says that the head has
	// ended. The error is a HeadError (process_header).
	ParseHead(b []byte) (n int, done bool, err error)
	// StartBody says by Exchange.In how the body is framed (input_filter_init).
	StartBody()
}

// redirecter is a Protocol that changes where a response sends the client to: the value
// of Location, and the URL in that of Refresh (rewrite_redirect).
type redirecter interface {
	Redirect(url string) (to string, changed bool)
}

// cookieRewriter is a Protocol that changes the cookies of a response: the value of
// Set-Cookie (rewrite_cookie).
type cookieRewriter interface {
	RewriteCookie(value string) (to string, changed bool)
}

// Target is where the request of an exchange goes.
type Target struct {
	Up     *Upstream // nil for a name that is still to be looked up
	Name   string    // as it is told: what a certificate must be for, unless that is configured
	Server string    // what is looked up
	Port   string    // of a Server that is looked up
	TLS    bool
}

// Exchange is one request to an upstream (ngx_http_upstream_t): its attempts, and the
// response of the one that answered. Init comes first, then TakeBody, then Run.
type Exchange struct {
	R        *core.Request
	Conf     *Config
	State    *State // of rec
	Head     []byte // of the request
	Body     Body
	In       ResponseReader
	Upgraded bool // the response makes the connection a tunnel
	AsGet    bool // HEAD is asked as GET, so that there is a body to be cached

	proto  Protocol
	target Target
	rec    *Record
	up     *Upstream
	choice *Choice
	local  net.Addr // by the directive bind, nil for any
	watch  watch
	start  time.Time // of the first attempt
	begun  time.Time // of the current one

	peer      *Peer // of the current attempt, nil when the balancer named it
	occupied  bool  // the attempt has not been given back to its peer
	conn      *Conn
	cached    bool // conn was kept, and has not answered yet
	connected bool // this attempt has sent something
	sender    *bodySender

	buffering bool   // the response is gathered before it is passed on
	held      []byte // pieces of the body that are passed on as one

	cache    *caching // nil where no cache is used
	fromFile bool     // the response is what the cache has
}

// Init makes x an exchange for r that speaks proto.
func (x *Exchange) Init(r *core.Request, proto Protocol, conf *Config) {
	x.R, x.proto, x.Conf = r, proto, conf
}

// Run has the request answered by the target. scheme is how log lines begin the name of
// the upstream, "http://".
func (x *Exchange) Run(t Target, scheme string) (rc int) {
	p := x.Conf
	x.target, x.up = t, t.Up
	x.rec = NewRecord(x.R)
	x.State = &x.rec.State
	x.State.Scheme, x.State.MaxTries = scheme, p.nextTries.V
	x.State.Connect, x.State.Send, x.State.Read = p.connect.V, p.send.V, p.read.V
	defer func() { x.endCaching(rc) }() // come what may: others wait for it
	rc, answered := x.fromCache()
	if !answered {
		x.rec.Separate()
		rc = x.ask()
	}
	return rc
}

// ask asks the upstream.
func (x *Exchange) ask() int {
	if rc := x.proto.Create(); rc != core.OK {
		return rc
	}
	x.local = x.Conf.bind.V.address(x.R)
	defer x.end()
	x.watch.start(x, !x.keeps() && !x.Conf.store.on())
	if x.up == nil {
		if rc := x.resolve(); rc != core.OK {
			return rc
		}
	}
	return x.run()
}

// run asks peers until one answers.
func (x *Exchange) run() int {
	x.choice = x.up.Choose(x.R)
	if limit := x.State.MaxTries; limit > 0 {
		x.choice.Tries = min(x.choice.Tries, limit)
	}
	x.start = time.Now()
	for {
		kind, rc := x.attempt()
		if rc != core.OK {
			return rc
		}
		if kind == 0 {
			x.readFreshness()
			if kind = x.refusedStatus(); kind == 0 {
				if x.peer != nil {
					x.choice.Header(x.peer, x.try().Header)
				}
				if rc, ok := x.fromCacheAfterAll(); ok {
					return rc
				}
				return x.answer()
			}
		}
		if rc, again := x.next(kind); !again {
			return rc
		}
	}
}

// Buffered reports whether the body is gathered before it is passed on. That is known when
// the head was read.
func (x *Exchange) Buffered() bool { return x.buffering }

// try is the record of the current attempt.
func (x *Exchange) try() *Try { return &x.rec.Tries[len(x.rec.Tries)-1] }

// action is what log lines say is being done, " while ...".
func (x *Exchange) action(text string) { x.R.Action = text }

// attempt asks one peer and reads the head of its response. It returns how it
// failed, or a status that ends the request.
func (x *Exchange) attempt() (nextKind, int) {
	r := x.R
	x.action(" while connecting to upstream")
	x.rec.Tries = append(x.rec.Tries, Try{Connect: NoTime, Header: NoTime, Response: NoTime})
	x.begun = time.Now()
	x.connected, x.cached, x.Upgraded = false, false, false
	x.In.Received = 0
	x.proto.Reset()
	x.State.Headers, x.State.Separator = nil, ""
	addr, rc := x.choose()
	if rc != core.OK {
		return 0, rc
	}
	if addr == "" {
		x.State.Current = x.up.Name
		x.try().Peer = x.State.Current
		r.Log(errlog.Err, "no live upstreams")
		return nextNoLive, core.OK
	}
	x.occupied = true
	x.State.Current, x.try().Peer = addr, addr
	if inet.IsUnix(addr) {
		x.State.Separator = ":"
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
func (x *Exchange) abandoned() int {
	if x.R.Post != nil { // the script's own watch tells of it
		return core.StatusClientClosed
	}
	x.R.Log(errlog.Info, "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too")
	return core.StatusClientClosed
}

// choose finds the address of the next attempt, "" when there is none.
func (x *Exchange) choose() (addr string, rc int) {
	x.peer = nil
	if x.up.Balancer != nil {
		if rc := x.balance(); rc != core.OK {
			return "", rc
		}
		if x.State.Named != "" {
			return x.State.Named, core.OK
		}
	}
	if x.peer = x.choice.Next(); x.peer == nil {
		return "", core.OK
	}
	return x.peer.Addr, core.OK
}

// balance asks the balancer, which is told of the attempts so far.
func (x *Exchange) balance() int {
	st := x.State
	st.Named, st.MoreTries, st.Tries = "", 0, x.choice.Tries
	st.Host, st.TLS, st.Local, st.Keep = "", TLSOfLocation, nil, nil
	st.Runs++
	if rc := x.up.Balancer(x.R); rc != core.OK {
		return rc
	}
	if st.Rebuild {
		st.Rebuild = false
		if rc := x.proto.Create(); rc != core.OK {
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
func (x *Exchange) talk(addr string) (nextKind, int) {
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
	x.conn.Begin(x.State.Read, x.State.Send)
	if err := x.send(); err != nil {
		return x.broken(x.writeCall(), err), core.OK
	}
	x.action(" while reading response header from upstream")
	x.In.Start(x.conn)
	err := x.In.ReadHead(int(x.Conf.bufferSize.V), x.proto)
	x.try().Received = x.In.Received // how much was sent is noted at the end
	if x.In.Received > 0 {
		x.cached = false
	}
	x.State.Headers = x.In.Head.Headers
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
	if x.Conf.firstHeaders {
		x.keepFirst()
	}
	x.try().Header = time.Since(x.begun)
	x.try().Status = x.In.Head.Status
	if x.In.Head.Bare {
		x.try().Status = 200
	}
	return 0, core.OK
}

// writeCall is the system call that log lines blame for failed writes.
func (x *Exchange) writeCall() string {
	if x.secure() {
		return "SSL_write()"
	}
	return "writev()"
}

// broken logs a network error and says how the attempt failed.
func (x *Exchange) broken(call string, err error) nextKind {
	switch {
	case core.IsTimeout(err):
		return nextTimeout
	case !x.watch.gone():
		x.R.Logf(errlog.Err, "%s failed (%s)", call, conf.Errno(err))
	}
	return nextError
}

// badHead logs what is wrong with the head of a response.
func (x *Exchange) badHead(err error) nextKind {
	var bad HeadError
	switch {
	case errors.Is(err, io.EOF):
		x.R.Log(errlog.Err, "upstream prematurely closed connection")
		return nextError
	case errors.As(err, &bad), errors.Is(err, ErrBigHead):
		if text := err.Error(); text != "" {
			x.R.Log(errlog.Err, text)
		}
		return nextInvalid
	}
	return x.broken("recv()", err)
}

// account notes how much the current attempt has read and written.
func (x *Exchange) account() {
	t := x.try()
	t.Received = x.In.Received
	if x.conn != nil {
		t.Sent = x.conn.Sent()
	}
}

// release gives the attempt back to its peer.
func (x *Exchange) release(how Outcome) {
	if !x.occupied {
		return
	}
	x.occupied = false
	defer func() { x.State.Separator = "" }() // log lines no longer know that it is a socket
	switch {
	case x.peer == nil: // the balancer named it
		if x.choice.Tries > 0 {
			x.choice.Tries--
		}
	case x.choice.Done(x.peer, how, x.try().Header, x.try().Response):
		x.R.Log(errlog.Warn, "upstream server temporarily disabled")
	}
}

// drop closes the connection of the current attempt.
func (x *Exchange) drop() {
	if c := x.conn; c != nil {
		x.watch.hold(nil)
		x.conn = nil
		c.Abandon()
		x.sender.wait(x.R)
	}
}

// end is called when the exchange is over, however it ended.
func (x *Exchange) end() {
	x.watch.stop()
	if len(x.rec.Tries) > 0 {
		if t := x.try(); t.Peer != "" && t.Response == NoTime {
			t.Response = time.Since(x.begun)
			x.account()
		}
	}
	x.release(Succeeded)
	x.drop()
	x.In.Release()
	x.action(" while sending to client")
}

// resolve looks the name of the target up.
func (x *Exchange) resolve() int {
	r, name := x.R, x.target.Server
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
