package upstream

import (
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// LeastTimeModule is ngx_http_upstream_least_time_module.
var LeastTimeModule = &core.Module{
	Name: "upstream_least_time",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "least_time", In: core.InUpstream, Args: core.Take12, Set: setLeastTime}}
	},
}

// setLeastTime reads least_time header|last_byte [inflight].
func setLeastTime(c *core.Compiler, d *conf.Directive) error {
	m := &leastTime{}
	setMethod(c, d, m, true)
	if len(d.Args) == 2 {
		if d.Args[1] != "inflight" {
			return invalidParameter(d.Args[1])
		}
		m.inflight = true
	}
	set := core.SetEnum(core.In(Server, func(u *Upstream) *core.Opt[int] { return &u.timeMode }), "header", "last_byte")
	err := set(c, d)
	m.lastByte = Server.At(c).timeMode.V == 1
	return err
}

// leastTime chooses the peer that is expected to answer first, by how long it took on
// the average and how many requests it has; those that are equally good take turns.
type leastTime struct {
	lastByte bool // a response counts when it is whole, not when its head is there
	inflight bool // requests that wait for their answer count too
}

// peerTimes is how long a peer takes to answer, in milliseconds and on the average.
type peerTimes struct {
	header, response int64

	waiting      int   // requests that wait for their answer
	waited       int64 // what those have waited together, at changed
	changed      int64 // when there was one more or less, in milliseconds
	averageSoFar int64 // what they have waited, on the average
}

func (*leastTime) prepare(*Upstream) {}
func (*leastTime) start(*Choice)     {}

// These bound an expectation, in milliseconds: what takes longer than the longest is as
// bad as that, and what is in the same interval is equally good.
const (
	longestWait  = 5000
	waitInterval = 20
)

func (m *leastTime) get(c *Choice, set *peerSet, now int64) *Peer {
	ms := time.Now().UnixMilli()
	for _, p := range set.peers {
		if t := &p.times; t.waiting > 0 && c.free(p, now) {
			t.averageSoFar = average(t.averageSoFar, t.waited/int64(t.waiting)+ms-t.changed)
		}
	}
	return c.least(set, now, func(p *Peer) int { return int(m.expect(p, now)) * (1 + p.conns) })
}

// expect is how long a response of p is expected to take. What is known of a peer that
// was not asked for long counts less and less, so that slow ones get their chance.
func (m *leastTime) expect(p *Peer, now int64) int64 {
	wait := p.times.header
	if m.lastByte {
		wait = p.times.response
	}
	if idle := now - p.checked; idle > p.failTimeout {
		wait >>= uint64(min(idle/(p.failTimeout+1), 63))
	}
	if p.times.waiting > 0 {
		wait = max(wait, p.times.averageSoFar)
	}
	if wait > longestWait {
		return longestWait
	}
	return wait + waitInterval - wait%waitInterval
}

// average takes a time into a moving average, of which it is a twentieth.
func average(before, v int64) int64 {
	if before == 0 {
		return v
	}
	return (before*19 + v + 10) / 20
}

// begin notes that a request waits for p.
func (m *leastTime) begin(c *Choice, p *Peer) {
	if !m.inflight {
		return
	}
	t, ms := &p.times, time.Now().UnixMilli()
	if t.waiting > 0 {
		t.waited += (ms - t.changed) * int64(t.waiting)
	}
	t.changed = ms
	t.waiting++
	c.inflight = true
}

// answered notes that a request that began took so long.
func (m *leastTime) answered(c *Choice, p *Peer, took int64) {
	if !c.inflight {
		return
	}
	c.inflight = false
	t, ms := &p.times, time.Now().UnixMilli()
	if t.waiting == 1 {
		t.waited = 0
	} else {
		t.waited += (ms-t.changed)*int64(t.waiting) - took
		t.changed = ms
	}
	t.waiting--
}

// header notes how long the head of a response took.
func (m *leastTime) header(c *Choice, p *Peer, took time.Duration) {
	if !m.inflight || m.lastByte {
		return
	}
	p.times.header = average(p.times.header, took.Milliseconds())
	m.answered(c, p, took.Milliseconds())
}

// end notes how an attempt ended. Only those that succeeded count, so that peers that
// fail quickly are not preferred.
func (m *leastTime) end(c *Choice, p *Peer, how Outcome, head, whole time.Duration) {
	m.answered(c, p, whole.Milliseconds())
	if how != Succeeded || head == NoTime {
		return
	}
	p.times.response = average(p.times.response, whole.Milliseconds())
	if !m.inflight || m.lastByte {
		p.times.header = average(p.times.header, head.Milliseconds())
	}
}
