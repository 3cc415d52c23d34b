package upstream

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// answer sends the upstream's response to the client
// (ngx_http_upstream_process_headers, ngx_http_upstream_send_response).
func (x *Exchange) answer() int {
	r := x.R
	x.proto.StartBody()
	status := x.In.Head.Status
	if status >= 300 && x.intercepts(status) {
		x.In.BodyRead = 0 // nobody looks at it
		x.finishConn()
		x.remember(status)
		return status
	}
	if target, ok := x.accelTarget(); ok {
		x.In.BodyRead = 0
		x.finishConn()
		return x.accelRedirect(target)
	}
	x.setHead()
	if x.In.Head.Bare {
		r.HTTPMajor, r.HTTPMinor = 0, 9
	}
	if !x.buffering {
		r.SetRate(0) // limit_rate is for what waits in buffers
	}
	if rc := r.SendHeader(); rc != core.OK {
		return rc
	}
	if x.Upgraded && r == r.Main {
		return x.tunnel()
	}
	var file sink
	if x.buffering {
		file = x.beginKeeping()
	} else {
		x.dropCaching()
	}
	if file != nil {
		return x.keepBody(file)
	}
	if x.cache != nil || x.Conf.store.on() { // nothing was kept: the client counts
		x.watch.begin(x)
	}
	if r.HeaderOnly && r == r.Main && r.Method == "HEAD" {
		x.In.BodyRead = 0
		x.finishConn()
		return r.Emit(nil, core.Last)
	}
	return x.copyBody()
}

// accelTarget is where X-Accel-Redirect moves the request.
func (x *Exchange) accelTarget() (target string, ok bool) {
	target, ok = x.State.Headers.Get("X-Accel-Redirect")
	return target, ok && !x.Conf.ignoresHeader("x-accel-redirect")
}

// setHead makes the head of the answer of that of the response
// (ngx_http_upstream_process_headers).
func (x *Exchange) setHead() {
	o, h := &x.R.Out, &x.In.Head
	x.copyHeaders()
	o.Status, o.StatusLine, o.ContentLength = h.Status, h.Line, h.Length
	o.PassedOn = !x.keeps() || !x.cache.fresh.keepable()
}

// intercepts reports whether the configuration has a page of its own for the
// status (intercept_errors), or the protocol leaves it to this server.
func (x *Exchange) intercepts(status int) bool {
	r := x.R
	if status == 404 && x.Conf.Intercept404 {
		return true
	}
	if !x.Conf.intercept.V {
		return false
	}
	for i := range r.Loc.ErrorPages {
		if r.Loc.ErrorPages[i].Code != status {
			continue
		}
		if status == 401 {
			if v, ok := x.State.Headers.Get("WWW-Authenticate"); ok {
				r.Out.Headers.Add("WWW-Authenticate", v)
			}
		}
		return true
	}
	return false
}

// accelRedirect moves the request to where X-Accel-Redirect points.
func (x *Exchange) accelRedirect(target string) int {
	r := x.R
	for i := range x.State.Headers {
		switch h := &x.State.Headers[i]; ngxtext.Lower(h.Name) {
		case "content-type", "set-cookie", "cache-control", "expires", "content-disposition", "accept-ranges":
			r.Out.Add(h.Name, h.Value)
		}
	}
	r.Out.StatusLine = ""
	if strings.HasPrefix(target, "@") {
		return r.NamedRedirect(target)
	}
	uri, args, ok := r.OpenTarget(target)
	if !ok {
		return 404
	}
	if r.Method != "HEAD" {
		r.Method = "GET"
	}
	return r.InternalRedirect(uri, args)
}

// copyBody passes the body on as it comes.
func (x *Exchange) copyBody() int {
	r := x.R
	flags := 0
	if !x.buffering {
		flags = core.Flush
		if len(x.In.Ahead()) == 0 { // the head need not wait for a body that has yet to come
			if rc := r.Emit(nil, core.Flush); rc != core.OK {
				return rc
			}
		}
	}
	if x.buffering {
		x.action(" while reading upstream")
	}
	pipe, pace := x.newBodyPipe(flags), x.newRate()
	for {
		if rc := pace.wait(x); rc != core.OK {
			return rc
		}
		var piece []byte
		var err error
		received := x.In.Received
		var asked time.Time
		if !x.buffering && len(x.In.Ahead()) == 0 {
			x.action(" while reading upstream")
			asked = time.Now()
		}
		r.Wait(func() {
			piece, err = x.nextPieces()
			if !r.InMemory && r.Main.Conn.Buffered() > maxPending {
				_ = r.Main.Conn.Flush()
			}
		})
		x.try().Length = x.In.BodyRead
		switch {
		case x.In.Received != received || x.In.EOF:
			x.action(" while reading upstream")
		case !x.buffering && err == nil && x.In.BodyRead == x.In.Preread: // what came with the head
			x.action(" while sending to client")
		}
		rc := core.OK
		switch {
		case pipe != nil:
			rc = pipe.add(piece, err != nil)
		case len(piece) > 0:
			rc = x.pass(piece, flags)
		}
		if rc != core.OK {
			return rc
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return x.brokenBody(err, time.Since(asked) < atOnce)
		}
		x.takeTrailers()
		x.finishConn()
		x.action(" while sending to client")
		return r.Emit(nil, core.Last)
	}
}

// atOnce is the time within which what has come already is read.
const atOnce = 5 * time.Millisecond

// nextPieces are the next bytes of the body. With buffering all pieces that have come
// already go on as one, be there chunks around each of them. There may be some beside an
// error.
func (x *Exchange) nextPieces() ([]byte, error) {
	gather := x.buffering && x.In.allowed < 0
	piece, err := x.In.Next(gather)
	if !gather || err != nil || len(x.In.Ahead()) == 0 {
		return piece, err
	}
	x.held = append(x.held[:0], piece...)
	for err == nil && len(x.In.Ahead()) > 0 && len(x.held) < catchUpPiece {
		piece, err = x.In.Next(true)
		x.held = append(x.held, piece...)
	}
	return x.held, err
}

// pass passes a piece of the body on.
func (x *Exchange) pass(piece []byte, flags int) int {
	if !x.buffering { // what has been read goes on in the same breath
		return x.R.Emit(piece, flags)
	}
	reading := x.R.Action
	x.action(" while sending to client")
	rc := x.R.Emit(piece, flags)
	if rc == core.OK {
		x.action(reading)
	}
	return rc
}

// maxPending is how much output may wait for a slow client before the upstream
// is left to wait as well.
const maxPending = 256 << 10

// brokenBody ends a response whose upstream failed in the middle. What came of it
// still goes out, but for syntax that cannot be trusted. atOnce: the end was there already
// when more was asked for.
func (x *Exchange) brokenBody(err error, atOnce bool) int {
	r := x.R
	x.account()
	if x.watch.gone() {
		return x.abandoned()
	}
	var bad BodyError
	flush := !errors.As(err, &bad)
	if flush {
		x.action(" while reading upstream")
	}
	switch {
	case err == ErrCut:
	case !flush:
		r.Log(errlog.Err, err.Error())
	case core.IsTimeout(err):
		r.Log(errlog.Err, "upstream timed out (110: Connection timed out)")
	case errors.Is(err, io.ErrUnexpectedEOF):
		if !x.buffering && atOnce && x.In.BodyRead == x.In.Preread {
			x.action(" while sending to client") // nginx finds the end while it does so
		}
		r.Log(errlog.Err, "upstream prematurely closed connection")
	case x.buffering:
		r.Logf(errlog.Err, "readv() failed (%s)", conf.Errno(err))
	default:
		r.Logf(errlog.Err, "recv() failed (%s)", conf.Errno(err))
	}
	if r.InMemory { // its maker sees that the body has no end
		return core.OK
	}
	if flush && r == r.Main {
		r.Wait(func() { _ = r.Conn.Flush() })
	}
	return core.Error
}

// finishConn ends the use of the connection: it is kept for another request when
// it stands exactly behind this response, and closed otherwise.
func (x *Exchange) finishConn() {
	r := x.R
	x.sender.settle()
	x.account()
	x.try().Length = x.In.BodyRead
	x.try().Response = time.Since(x.begun)
	if x.In.excess != "" && x.In.Surplus() && r.Method != "HEAD" {
		r.Log(errlog.Warn, x.In.excess)
	}
	x.release(Succeeded)
	if c := x.conn; c != nil && x.In.Clean() && x.sender.finished() && !x.watch.gone() {
		x.watch.hold(nil)
		x.conn = nil
		x.keep(c)
		return
	}
	x.drop()
}
