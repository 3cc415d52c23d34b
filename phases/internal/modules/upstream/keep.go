package upstream

import (
	"io"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/filecache"
)

// sink is the file that a response is kept in: of the cache, or a stored one.
type sink interface {
	io.Writer
	io.ReaderAt
	Written() int64
	Commit() error // the response is complete
	Abort()        // it is not kept
	Close()
}

// beginKeeping opens the file that the response goes into, if it is to be kept at all
// (ngx_http_upstream_send_response).
func (x *Exchange) beginKeeping() sink {
	c, p := x.cache, &x.Conf.cache
	if c == nil {
		return x.beginStoring()
	}
	c.look.CloseFile()
	if anyOf(x.R, p.noCache) || !c.fresh.keepable() {
		c.keep = false
	}
	h := &x.In.Head
	now := time.Now().Unix()
	if c.keep && c.fresh.valid == 0 {
		if d := p.validFor(h.Status); d > 0 {
			c.fresh.valid = now + int64(d/time.Second)
		}
	}
	if !c.keep || c.fresh.valid == 0 {
		x.dropCaching()
		return x.beginStoring()
	}
	m := filecache.Meta{
		Valid: c.fresh.valid, Updating: c.fresh.updating, Error: c.fresh.failing, Vary: c.fresh.vary,
		Date: now, LastModified: -1, Head: encodeHead(h),
	}
	if h.Status == 200 || h.Status == 206 {
		m.LastModified = x.R.Out.LastModified
		m.ETag, _ = h.Headers.Get("ETag")
	}
	w, err := c.look.Create(m)
	if err != nil {
		x.dropCaching()
		return nil
	}
	return w
}

// dropCaching says that the response is not kept: others need not wait for it.
func (x *Exchange) dropCaching() {
	if x.cache != nil && !x.cache.background {
		x.cache.keep = false
		x.cache.look.Free()
	}
}

// keeper passes a body on and keeps it. A client that takes it slowly is behind: it gets what
// it has not had yet out of the file, so that the upstream need not wait for it.
type keeper struct {
	x     *Exchange
	file  sink
	keep  bool // all of the body so far is in the file, and more will be
	pipe  *bodyPipe
	sent  int64 // of the body, to the client
	total int64 // of the body, from the upstream
	deaf  int   // how a client that has gone was answered, OK for one that listens
}

// add takes a piece of the body, and its end. Another result than OK says that nobody wants
// the rest.
func (k *keeper) add(piece []byte, end bool) int {
	before := k.total
	k.total += int64(len(piece))
	if k.keep && len(piece) > 0 {
		if _, err := k.file.Write(piece); err != nil {
			k.giveUp()
		}
	}
	switch {
	case k.deaf != core.OK || k.x.R.HeaderOnly:
		k.sent = k.total
	case k.pipe != nil:
		k.deaf = k.pipe.add(piece, end)
	case k.sent == before && !k.clogged():
		k.pass(piece)
	case k.keep:
		k.catchUp(k.total, false)
	default: // what is not kept cannot be read again
		k.catchUp(before, true)
		k.pass(piece)
	}
	if k.keep {
		return core.OK
	}
	return k.deaf
}

// pass gives the client a piece as it is.
func (k *keeper) pass(piece []byte) {
	if k.deaf == core.OK && len(piece) > 0 {
		k.deaf = k.x.pass(piece, 0)
		k.sent += int64(len(piece))
	}
}

// giveUp says that the response is not kept. What is in the file can still be read.
func (k *keeper) giveUp() {
	k.keep = false
	k.file.Abort()
	k.x.dropCaching()
}

// clogged tells whether enough waits for the client.
func (k *keeper) clogged() bool {
	r := k.x.R
	return !r.InMemory && r.Main.Conn.Buffered() > maxPending
}

// catchUp gives the client what it has not had yet out of the file, up to an offset; as much
// as it takes now, or all of it with wait.
func (k *keeper) catchUp(to int64, wait bool) {
	if k.sent >= to || k.pipe != nil {
		return
	}
	buf := make([]byte, min(catchUpPiece, to-k.sent))
	for k.deaf == core.OK && k.sent < to {
		if k.clogged() {
			if !wait {
				return
			}
			k.x.R.Wait(func() { _ = k.x.R.Main.Conn.Flush() })
		}
		n, err := k.file.ReadAt(buf[:min(int64(len(buf)), to-k.sent)], k.sent)
		if n == 0 && err != nil {
			k.deaf = core.Error
			return
		}
		k.sent += int64(n)
		k.deaf = k.x.pass(buf[:n], 0)
	}
}

// catchUpPiece is how much is read of the file at once, in bytes.
const catchUpPiece = 64 << 10

// keepBody is copyBody for a response that is kept.
func (x *Exchange) keepBody(file sink) int {
	defer file.Close()
	r := x.R
	x.action(" while reading upstream")
	k := &keeper{x: x, file: file, keep: true, pipe: x.newBodyPipe(0)}
	pace := x.newRate()
	for {
		if rc := pace.wait(x); rc != core.OK {
			return rc
		}
		var piece []byte
		var err error
		r.Wait(func() {
			piece, err = x.nextPieces()
			if !k.keep && k.clogged() {
				_ = r.Main.Conn.Flush()
			}
		})
		x.try().Length = x.In.BodyRead
		x.action(" while reading upstream")
		if rc := k.add(piece, err != nil); rc != core.OK {
			return rc
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			if k.keep {
				k.giveUp()
			}
			k.catchUp(k.total, true)
			if k.deaf != core.OK {
				return k.deaf
			}
			return x.brokenBody(err, false)
		}
		if k.keep && file.Commit() != nil {
			k.keep = false
			x.dropCaching()
		}
		x.finishConn()
		k.catchUp(k.total, true)
		if k.deaf != core.OK {
			return k.deaf
		}
		x.action(" while sending to client")
		return r.Emit(nil, core.Last)
	}
}
