package upstream

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// tunnel passes bytes both ways after a 101: the connection has another protocol
// now (ngx_http_upstream_upgrade). It ends when either side closes, or when there
// was silence for read_timeout.
func (x *Exchange) tunnel() int {
	r := x.R
	failed := false
	r.Wait(func() { failed = r.Conn.Flush() != nil })
	if failed {
		return core.Error
	}
	client := r.Conn.NetConn()
	x.watch.stop()
	x.action(" while proxying upgraded connection")
	t := &tunnel{client: client, upstream: x.conn.Conn, read: x.State.Read, send: x.State.Send}
	x.conn.Rest()
	first := x.In.Ahead()
	r.Wait(func() { t.run(first) })
	try := x.try()
	try.Received = x.In.Received + t.down
	try.Sent = x.conn.Sent() + t.up
	r.BodySent += t.down + int64(len(first))
	r.BytesSent += t.down + int64(len(first))
	if t.timedOut {
		r.Log(errlog.Err, "upstream timed out (110: Connection timed out)")
	}
	r.OutputEnded, r.KeepAlive = true, false
	x.drop()
	return core.OK
}

// tunnel joins two connections.
type tunnel struct {
	client, upstream net.Conn
	read, send       time.Duration
	up, down         int64 // bytes
	timedOut         bool
	over             atomic.Bool
	active           atomic.Int64 // time of the last byte, Unix nanoseconds
}

// run copies until the end; first is what the upstream has already sent.
func (t *tunnel) run(first []byte) {
	t.active.Store(time.Now().UnixNano())
	done := make(chan struct{})
	guard.Go(func() {
		defer close(done)
		t.up = t.copy(t.upstream, t.client, nil, false)
	})
	t.down = t.copy(t.client, t.upstream, first, true)
	<-done
}

// end makes both directions stop.
func (t *tunnel) end() {
	t.over.Store(true)
	_ = t.client.SetDeadline(time.Unix(1, 0))
	_ = t.upstream.SetDeadline(time.Unix(1, 0))
}

// copy is one direction. Only that from the upstream looks at the time.
func (t *tunnel) copy(to, from net.Conn, ahead []byte, timed bool) (total int64) {
	defer t.end()
	if len(ahead) > 0 && !t.write(to, ahead) {
		return 0
	}
	buf := make([]byte, 16<<10)
	for {
		if timed {
			_ = from.SetReadDeadline(time.Unix(0, t.active.Load()).Add(t.read))
		}
		if t.over.Load() { // after the deadline was moved, so that no end is lost
			return total
		}
		n, err := from.Read(buf)
		total += int64(n)
		if n > 0 && !t.write(to, buf[:n]) {
			return total
		}
		if err != nil {
			silent := time.Since(time.Unix(0, t.active.Load())) >= t.read
			if timed && core.IsTimeout(err) && !t.over.Load() && !silent {
				continue // the other direction was not silent
			}
			if timed && core.IsTimeout(err) && !t.over.Load() {
				t.timedOut = true
			}
			return total
		}
	}
}

func (t *tunnel) write(to net.Conn, p []byte) bool {
	t.active.Store(time.Now().UnixNano())
	_ = to.SetWriteDeadline(time.Now().Add(t.send))
	if t.over.Load() {
		return false
	}
	_, err := to.Write(p)
	return err == nil
}
