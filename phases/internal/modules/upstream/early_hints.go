package upstream

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// hints is early_hints: 103 of an upstream is passed on when one of these texts is
// neither empty nor "0".
type hints struct {
	when core.Opt[[]core.Template]
}

var hintsLoc = core.NewLocSlot(func(h, outer *hints, _ bool) { h.when.Merge(outer.when, nil) })

func setEarlyHints(c *core.Compiler, d *conf.Directive) error {
	list := make([]core.Template, len(d.Args))
	for i, arg := range d.Args {
		var err error
		if list[i], err = c.Template(arg); err != nil {
			return err
		}
	}
	return hintsLoc.At(c).when.Put(list)
}

// framedDownstream is a client that is told of hints in frames.
type framedDownstream interface {
	WriteHints(core.Headers)
}

// PassOver goes on behind the head of an interim response. That of a 103 is shown to the
// client, when that is wanted and the client can tell it from the answer
// (ngx_http_upstream_process_early_hints).
func (x *Exchange) PassOver() {
	h := x.In.Head
	x.In.Head, x.In.lines = ResponseHead{}, headParser{lines: x.In.room.lines[:0]}
	if h.Status != 103 || !tellsHints(x.R) || !hintsLoc.Of(x.R.Loc).wanted(x.R) {
		return
	}
	var list core.Headers
	for _, line := range h.Headers {
		if !ngxtext.ContainsFold(hopHeaders[:], line.Name) && !x.Conf.hides(ngxtext.Lower(line.Name)) {
			list.Add(line.Name, line.Value)
		}
	}
	sendHints(x.R, list)
}

// tellsHints tells whether the client can be told of hints.
func tellsHints(r *core.Request) bool {
	return r == r.Main && !r.HeadersSent && (r.HTTPMajor > 1 || r.HTTPMajor == 1 && r.HTTPMinor > 0)
}

func sendHints(r *core.Request, list core.Headers) {
	if framed, ok := r.Conn.(framedDownstream); ok {
		framed.WriteHints(list)
		return
	}
	b := append([]byte(nil), "HTTP/1.1 103 Early Hints\r\n"...)
	for i := range list {
		b = core.AppendHeader(b, list[i].Name, list[i].Value)
	}
	b = append(b, core.CRLF...)
	r.BodySent += int64(len(b))
	r.BytesSent += int64(len(b))
	_ = r.Conn.Interim(b) // a client that has gone is found when it is answered
}

func (h *hints) wanted(r *core.Request) bool {
	for _, when := range h.when.V {
		if v := when.Eval(r); v != "" && v != "0" {
			return true
		}
	}
	return false
}

// hopHeaders are of the connection to the upstream alone.
var hopHeaders = [...]string{"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Upgrade", "TE", "Trailer"}
