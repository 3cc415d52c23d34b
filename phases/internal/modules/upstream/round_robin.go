package upstream

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
)

// Peer is one address of an upstream. A server that is written by a name
// with several addresses makes several peers.
type Peer struct {
	server      string // as written: peers of one server share their points of a consistent hash
	Addr        string // host:port or unix:/path
	weight      int
	maxFails    int
	maxConns    int
	failTimeout time.Duration
	down        bool

	// Guarded by Upstream.mu.
	effective int // weight, less after failures
	current   int // of the smooth weighted round robin
	fails     int
	accessed  time.Time // last failure
	checked   time.Time // last failure, or first attempt after failTimeout
	conns     int
}

// peerSet are the servers of an upstream or its backups.
type peerSet struct {
	peers  []*Peer
	weight int
	tries  int // peers that are not down
}

func (s *peerSet) add(p *Peer) {
	p.effective = p.weight
	s.peers = append(s.peers, p)
	s.weight += p.weight
	if !p.down {
		s.tries++
	}
}

// at is the peer whose share of the weights holds n.
func (s *peerSet) at(n int) *Peer {
	for _, p := range s.peers {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	return s.peers[0]
}

// usable reports whether a peer may be asked now.
func (p *Peer) usable(now time.Time) bool {
	return !p.down && p.hasRoom() &&
		!(p.maxFails > 0 && p.fails >= p.maxFails && now.Sub(p.checked) <= p.failTimeout)
}

// hasRoom reports whether max_conns lets one more connection be.
func (p *Peer) hasRoom() bool { return p.maxConns == 0 || p.conns < p.maxConns }

// method is a way of choosing among the primary peers of an upstream
// (ngx_http_upstream_peer_t). Backups take turns whatever the method is.
type method interface {
	// prepare is called once, when all servers are known (peer.init_upstream).
	prepare(u *Upstream) error
	// start begins a request's way (peer.init).
	start(c *Choice, r *core.Request)
	// get chooses a usable peer that was not tried yet, nil when there is none
	// (peer.get). It is called with Upstream.mu held.
	get(c *Choice, now time.Time) *Peer
}

// Choice is the way of one request through the peers of its upstream.
type Choice struct {
	up     *Upstream
	backup bool
	tried  map[*Peer]bool
	Tries  int // attempts left, with the current one

	key    string // of the methods that hash one
	hash   uint32
	rehash int
}

// single reports whether there is but one peer, whose failures are not counted.
func (u *Upstream) single() bool { return len(u.primary.peers) == 1 && len(u.backup.peers) == 0 }

// Choose begins a request's way through the peers.
func (u *Upstream) Choose(r *core.Request) *Choice {
	c := &Choice{up: u, Tries: u.primary.tries + u.backup.tries}
	u.method.start(c, r)
	return c
}

// Next chooses a peer that was not tried yet, nil when none can be asked
// (ngx_http_upstream_get_round_robin_peer and its kin).
func (c *Choice) Next() *Peer {
	u := c.up
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.single() {
		if p := u.primary.peers[0]; !p.down && p.hasRoom() {
			p.conns++
			return p
		}
		return nil
	}
	now := time.Now()
	var p *Peer
	if !c.backup {
		p = u.method.get(c, now)
	}
	if p == nil && len(u.backup.peers) > 0 {
		if !c.backup {
			c.backup, c.tried = true, nil
		}
		p = c.weighted(&u.backup, now, nil)
	}
	if p == nil {
		return nil
	}
	if c.tried == nil {
		c.tried = map[*Peer]bool{}
	}
	c.tried[p] = true
	if now.Sub(p.checked) > p.failTimeout {
		p.checked = now
	}
	p.conns++
	return p
}

// free reports whether c may go to p now.
func (c *Choice) free(p *Peer, now time.Time) bool { return !c.tried[p] && p.usable(now) }

// roundRobin is the smooth weighted round robin, what an upstream does that names no
// other method.
type roundRobin struct{}

func (roundRobin) prepare(*Upstream) error      { return nil }
func (roundRobin) start(*Choice, *core.Request) {}

func (roundRobin) get(c *Choice, now time.Time) *Peer {
	return c.weighted(&c.up.primary, now, nil)
}

// weighted lets the free peers of a set take turns by their weights; also, when not
// nil, says which of them count.
func (c *Choice) weighted(set *peerSet, now time.Time, also func(p *Peer) bool) *Peer {
	var best *Peer
	total := 0
	for _, p := range set.peers {
		if !c.free(p, now) || also != nil && !also(p) {
			continue
		}
		p.current += p.effective
		total += p.effective
		if p.effective < p.weight {
			p.effective++
		}
		if best == nil || p.current > best.current {
			best = p
		}
	}
	if best != nil {
		best.current -= total
	}
	return best
}

// Done notes how an attempt at a peer ended and tells whether the peer has failed
// so often that it is left alone for a while
// (ngx_http_upstream_free_round_robin_peer).
func (c *Choice) Done(p *Peer, failed bool) (disabled bool) {
	u := c.up
	u.mu.Lock()
	defer u.mu.Unlock()
	p.conns--
	if u.single() && !u.Balanced.Load() {
		c.Tries = 0
		return false
	}
	if failed {
		now := time.Now()
		p.fails++
		p.accessed, p.checked = now, now
		if p.maxFails > 0 {
			p.effective -= p.weight / p.maxFails
			disabled = p.fails >= p.maxFails
		}
		p.effective = max(p.effective, 0)
	} else if p.accessed.Before(p.checked) {
		p.fails = 0
	}
	if c.Tries > 0 {
		c.Tries--
	}
	return disabled
}
