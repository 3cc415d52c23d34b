package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/moonphase/moonphase/runtime/guard"
)

// watch ends what an exchange waits for when the client goes away
// (ngx_http_upstream_check_broken_connection).
type watch struct {
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer

	mu    sync.Mutex
	conn  *Conn // in use
	left  bool  // the client has gone
	ended bool  // nobody wants to know any more
}

// watchDelay is how long an upstream may take before its client is watched:
// watching costs more than a quick answer.
const watchDelay = 5 * time.Millisecond

// start begins to watch the client of x, or with watched unset only what is asked of the
// watch: the response is wanted without a client too.
func (w *watch) start(x *Exchange, watched bool) {
	w.ctx, w.cancel = context.WithCancel(context.Background())
	if watched {
		w.begin(x)
	}
}

// begin watches from now on.
func (w *watch) begin(x *Exchange) {
	conn := x.R.Main.Conn
	if x.Conf.ignoreAbort.V || conn == nil || x.R.Unwatched {
		return // the client of a captured subrequest is its script's business
	}
	w.timer = time.AfterFunc(watchDelay, func() {
		defer guard.Stop()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ended {
			return
		}
		if gone := conn.Aborted(); gone != nil {
			guard.Go(func() { w.wait(gone) })
		}
	})
}

func (w *watch) wait(gone <-chan struct{}) {
	select {
	case <-w.ctx.Done():
		return
	case <-gone:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.left = true
	w.cancel()
	if w.conn != nil {
		w.conn.Cut()
	}
}

// context ends when the client has gone.
func (w *watch) context() context.Context { return w.ctx }

// hold makes c the connection that is cut when the client goes; nil: none.
func (w *watch) hold(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = c
	if c != nil && w.left {
		c.Cut()
	}
}

// gone reports whether the client has gone.
func (w *watch) gone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

// stop ends the watch.
func (w *watch) stop() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.cancel()
}
