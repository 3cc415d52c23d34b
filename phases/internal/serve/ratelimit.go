package serve

import "time"

// rateLimit paces a writer (limit_rate). nginx counts whole seconds since the request began,
// the first one included.
type rateLimit struct {
	perSecond int64 // bytes; 0: no limit
	after     int64 // bytes that go out before
	start     int64 // Unix seconds
	notBefore time.Time

	burst, began int64 // of several writes: what is left of what may be sent, and where it began
}

// SetRate implements Downstream.
func (o *writer) SetRate(perSecond, after int64, start time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rate.perSecond, o.rate.after, o.rate.start = perSecond, after, start.Unix()
}

// allow is how many bytes may be sent now when sent have been, or else how long to
// wait.
func (l *rateLimit) allow(sent int64, now time.Time) (n int64, wait time.Duration) {
	if wait := l.notBefore.Sub(now); wait > 0 {
		return 0, wait
	}
	n = l.perSecond*(now.Unix()-l.start+1) - (sent - l.after)
	if n <= 0 {
		return 0, time.Duration(-n*1000/l.perSecond+1) * time.Millisecond
	}
	return n, 0
}

// take is allow for one write of many that go out together, of n bytes; last says that no
// more is there yet. Only behind them all is there a wait.
func (l *rateLimit) take(sent int64, n int, last bool, now time.Time) (allowed int, wait time.Duration) {
	if l.burst == 0 {
		if l.burst, wait = l.allow(sent, now); wait > 0 {
			return 0, wait
		}
		l.began = sent
	}
	allowed = int(min(int64(n), l.burst))
	l.burst -= int64(allowed)
	if l.burst == 0 || last {
		l.burst = 0
		l.note(l.began, sent+int64(allowed), now)
	}
	return allowed, 0
}

// note is told that a write takes the bytes sent from before to after.
func (l *rateLimit) note(before, after int64, now time.Time) {
	n := max(after-l.after, 0) - max(before-l.after, 0)
	l.notBefore = now.Add(time.Duration(n*1000/l.perSecond) * time.Millisecond)
}
