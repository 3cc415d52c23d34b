package upstream

import "github.com/moonphase/moonphase/phases/internal/core"

// bodyPipe gathers a body as nginx's buffers do (ngx_event_pipe), so that
// body_filter_by_lua sees it in the same pieces: all of a body that fits into
// the buffers at once, else two full buffers at a time. Without such a filter
// pieces make no difference and are passed on as they come.
type bodyPipe struct {
	x     *Exchange
	flags int // of the output
	size  int // of a buffer
	next  int // of the first buffer that is not passed on: the head may have taken some of it
	held  []byte
}

// pipeBuffers is the number of buffers beside the one that the head came in.
const pipeBuffers = 8

// newBodyPipe returns a pipe for the body of x, nil where pieces do not matter.
func (x *Exchange) newBodyPipe(flags int) *bodyPipe {
	if !x.R.Loc.SeesPieces {
		return nil
	}
	size := int(x.Conf.bufferSize.V)
	head := x.In.Received - int64(len(x.In.Ahead()))
	p := &bodyPipe{x: x, flags: flags, size: size, next: size}
	if head > 0 && head < int64(size) {
		p.next -= int(head)
	}
	return p
}

// add takes a piece of the body, the last one when ended, and passes on what is to
// go on now.
func (p *bodyPipe) add(piece []byte, ended bool) int {
	if !p.x.buffering {
		return p.split(piece)
	}
	p.held = append(p.held, piece...)
	if ended {
		if len(p.held) == 0 {
			return core.OK
		}
		return p.x.pass(p.held, p.flags)
	}
	room := p.next + pipeBuffers*p.size
	if len(p.held) < p.next || len(p.held) < room && p.more() {
		return core.OK
	}
	for len(p.held) >= p.next && room >= p.next {
		n := p.next
		if room >= n+p.size && len(p.held) >= n+p.size {
			n += p.size
		}
		room -= n
		if rc := p.x.pass(p.held[:n], p.flags); rc != core.OK {
			return rc
		}
		p.held = append(p.held[:0], p.held[n:]...)
		p.next = p.size
	}
	return core.OK
}

// split passes on what came without buffering: no piece is longer than a buffer.
func (p *bodyPipe) split(piece []byte) int {
	for len(piece) > 0 {
		n := min(len(piece), p.next)
		if rc := p.x.pass(piece[:n], p.flags); rc != core.OK {
			return rc
		}
		piece, p.next = piece[n:], p.size
	}
	return core.OK
}

// more tells whether more of the body is there already.
func (p *bodyPipe) more() bool {
	more := len(p.x.In.Ahead()) > 0
	if !more {
		p.x.R.Wait(func() { more = p.x.conn.Readable() })
	}
	return more
}
