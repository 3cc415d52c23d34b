package core

import (
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// Subrequests in the background run while their main request goes on. In nginx all of
// them share one thread, so that they may share the request as well. Here each belongs to
// a twin of the main request as it was then, which shares nothing that changes: neither
// sees the other's variables and headers, and what the subrequest answers goes nowhere.

// Background runs a subrequest in the background. The main request does not end, and its
// connection takes no other, before that (NGX_HTTP_SUBREQUEST_BACKGROUND).
func (r *Request) Background(o SubrequestOptions) int {
	twin := r.detach()
	o.ShareVars, o.KeepBody, o.HeaderOnly, o.Unwatched = true, true, true, true
	sub := twin.Subrequest(o)
	if sub == nil {
		twin.Release()
		return Error
	}
	sub.Detached = true
	m := r.Main
	if m.background == nil {
		m.background = new(sync.WaitGroup)
	}
	done := m.background.Done
	m.background.Add(1)
	guard.Go(func() {
		defer done()
		sub.runBackground()
		sub.Release()
		twin.Release()
	})
	return OK
}

// runBackground is RunSubrequest for one that ends alone when Go code panics in it.
func (r *Request) runBackground() {
	defer func() {
		if x := recover(); x != nil {
			r.Log(errlog.Alert, guard.New(x).Error())
		}
	}()
	r.RunSubrequest()
}

// detach makes the twin of a request, which is a main request.
func (r *Request) detach() *Request {
	t := requestPool.Get().(*Request)
	t.Method, t.URI, t.Args, t.EmptyArgs = r.Method, r.URI, r.Args, r.EmptyArgs
	t.RequestURI, t.RequestLine, t.HeaderText = r.RequestURI, r.RequestLine, r.HeaderText
	t.Protocol, t.HTTPMajor, t.HTTPMinor = r.Protocol, r.HTTPMajor, r.HTTPMinor
	t.In, t.Host, t.HeaderBytes, t.Pipelined = append(t.In[:0], r.In...), r.Host, r.HeaderBytes, r.Pipelined
	t.ContentLength, t.Chunked, t.BodyReceived = r.ContentLength, r.Chunked, r.BodyReceived
	body := r.RequestBody()
	t.Body = RequestBody{Data: body.Data, File: body.File, Read: body.Read, KeepFile: true}
	t.Cycle, t.Listen, t.Server, t.Loc = r.Cycle, r.Listen, r.Server, r.Loc
	t.Main, t.Conn, t.client = t, mute{r.Downstream()}, r.Main.client
	t.ValidLocation, t.ValidUnparsedURI = r.ValidLocation, r.ValidUnparsedURI
	t.Start, t.Depth, t.uriChanges = r.Start, r.Depth, r.uriChanges
	t.Captures, t.Vars = append(t.Captures[:0], r.Captures...), slices.Clone(r.Vars)
	t.HeaderOnly, t.InMemory, t.HeadersSent = true, true, true
	t.Out.reset()
	for _, m := range r.Cycle.Modules {
		if m.Detach != nil {
			m.Detach(r, t)
		}
	}
	return t
}

// mute is a client's connection for requests that may look at it and leave it alone.
type mute struct{ Downstream }

func (mute) Write(p []byte) (int, error)     { return len(p), nil }
func (mute) Push() error                     { return nil }
func (mute) Flush() error                    { return nil }
func (mute) Buffered() int                   { return 0 }
func (mute) Blocked() bool                   { return false }
func (mute) Sent() int64                     { return 0 }
func (mute) SetRate(_, _ int64, _ time.Time) {}
func (mute) ReadBody(p []byte) (int, error)  { return 0, io.EOF }
func (mute) SkipBody() error                 { return nil }
func (mute) Interim(p []byte) error          { return nil }
func (mute) InterruptRead()                  {}
func (mute) Aborted() <-chan struct{}        { return nil }

// NetConn is a connection that is closed.
func (mute) NetConn() net.Conn {
	conn, _ := net.Pipe()
	conn.Close()
	return conn
}
