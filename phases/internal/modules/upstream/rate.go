package upstream

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// rate is how fast a buffered response is read (limit_rate); the zero value is as fast
// as it comes.
type rate struct {
	perSecond int64 // bytes
	start     int64 // seconds
}

// newRate begins to count for the response of x.
func (x *Exchange) newRate() rate {
	t := &x.Conf.limitRate.V
	if !x.buffering || t.Lit == "" && t.IsStatic() {
		return rate{}
	}
	return rate{x.R.SizeOf(t), time.Now().Unix()}
}

// wait waits until more may be read, and tells the reader how much. It answers with a
// status when the client goes meanwhile (ngx_event_pipe_read_upstream).
func (l *rate) wait(x *Exchange) int {
	if l.perSecond <= 0 {
		return core.OK
	}
	for {
		free := l.perSecond*(time.Now().Unix()-l.start+1) - x.In.BodyRead
		if free > 0 {
			x.In.allowed = free
			return core.OK
		}
		pause := time.Duration(-free*1000/l.perSecond+1) * time.Millisecond
		if !x.R.Sleep(pause) && !x.Conf.ignoreAbort.V {
			return x.abandoned()
		}
	}
}
