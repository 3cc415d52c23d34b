package core

import (
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// cachedTime is a formatted second, shared by all requests of that second.
type cachedTime struct {
	end  time.Time // of the second
	text string
}

// httpDateCache holds the text of the Date header; it is remade once a second.
var httpDateCache atomic.Pointer[cachedTime]

// HTTPDate is the time as the Date header gives it. Whether the second is over is
// asked of the monotonic clock alone, which costs half of what time.Now does.
func HTTPDate() string {
	if c := httpDateCache.Load(); c != nil && time.Until(c.end) > 0 {
		return c.text
	}
	now := time.Now()
	text := now.UTC().Format(ngxtext.HTTPTimeFormat)
	httpDateCache.Store(&cachedTime{now.Add(time.Second - time.Duration(now.Nanosecond())), text})
	return text
}
