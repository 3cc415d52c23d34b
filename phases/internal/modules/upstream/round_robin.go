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
	sid         string // what sticky calls it: its route, or a hash of its address
	weight      int
	maxFails    int
	maxConns    int
	failTimeout int64 // seconds
	down        downKind
	from        *name // the name that is resolved again and again, nil for an address that stays

	// Guarded by Upstream.mu. Times are in whole seconds, as nginx counts them.
	effective int // weight, less after failures
	current   int // of the smooth weighted round robin
	fails     int
	accessed  int64 // last failure
	checked   int64 // last failure, or first attempt after failTimeout
	conns     int

	times peerTimes
}

// downKind says why a peer is not asked.
type downKind uint8

const (
	up       downKind = iota
	down              // by the configuration
	draining          // asked by clients that are bound to it, and by no others
)

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
	if p.down == up {
		s.tries++
	}
}

// replace makes a set of other peers.
func (s *peerSet) replace(peers []*Peer) {
	s.peers, s.weight, s.tries = peers, 0, 0
	for _, p := range peers {
		s.weight += p.weight
		if p.down == up {
			s.tries++
		}
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

// well reports whether a peer has neither failed too often nor as many connections
// as it may have.
func (p *Peer) well(now int64) bool {
	return p.hasRoom() && !(p.maxFails > 0 && p.fails >= p.maxFails && now-p.checked <= p.failTimeout)
}

// hasRoom reports whether max_conns lets one more connection be.
func (p *Peer) hasRoom() bool { return p.maxConns == 0 || p.conns < p.maxConns }

// method is a way of choosing among the peers of an upstream
// (ngx_http_upstream_peer_t).
type method interface {
	// prepare is called when all servers are known, and again with Upstream.mu held
	// when they have changed (peer.init_upstream).
	prepare(u *Upstream)
	// start begins a request's way (peer.init).
	start(c *Choice)
	// get chooses a usable peer of the set that was not tried yet, nil when there is
	// none (peer.get). It is called with Upstream.mu held, for the servers first and
	// for the backups then.
	get(c *Choice, set *peerSet, now int64) *Peer
}

// Choice is the way of one request through the peers of its upstream.
type Choice struct {
	up     *Upstream
	r      *core.Request
	backup bool
	tried  map[*Peer]bool
	Tries  int // attempts left, with the current one

	key    string // of the methods that hash one
	hash   uint32
	rehash int
	misses int // peers that a method came upon and could not use

	client   string // sticky: what the client says it is bound to
	hint     string // sticky: the sid of that peer
	cookie   int    // sticky: the place of its Set-Cookie among the headers, and one
	inflight bool   // least_time: the request counts as one that waits
}

// single reports whether there is but one peer, whose failures are not counted.
func (u *Upstream) single() bool { return len(u.primary.peers) == 1 && len(u.backup.peers) == 0 }

// Choose begins a request's way through the peers.
func (u *Upstream) Choose(r *core.Request) *Choice {
	c := &Choice{up: u, r: r}
	if u.sticky != nil {
		u.sticky.begin(c)
	}
	u.mu.Lock()
	c.Tries = u.primary.tries + u.backup.tries
	u.method.start(c)
	u.mu.Unlock()
	return c
}

// Next chooses a peer that was not tried yet, nil when none can be asked
// (ngx_http_upstream_get_round_robin_peer and its kin).
func (c *Choice) Next() *Peer {
	if s := c.up.sticky; s != nil {
		s.look(c)
	}
	p := c.next()
	if s := c.up.sticky; s != nil && p != nil {
		s.chosen(c, p)
	}
	return p
}

func (c *Choice) next() *Peer {
	u := c.up
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now().Unix()
	if u.single() {
		p := u.primary.peers[0]
		if c.bound(&u.primary, now) != p && (p.down != up || !p.hasRoom()) {
			return nil
		}
		p.conns++
		return p
	}
	var p *Peer
	if !c.backup {
		p = c.pick(&u.primary, now)
	}
	if p == nil && len(u.backup.peers) > 0 {
		if !c.backup {
			c.backup, c.tried = true, nil
		}
		p = c.pick(&u.backup, now)
	}
	if p == nil {
		return nil
	}
	if c.tried == nil {
		c.tried = map[*Peer]bool{}
	}
	c.tried[p] = true
	if m, ok := u.method.(*leastTime); ok {
		m.begin(c, p)
	}
	if now-p.checked > p.failTimeout {
		p.checked = now
	}
	p.conns++
	return p
}

// pick chooses from a set: the peer that the client is bound to, or what the method says.
func (c *Choice) pick(set *peerSet, now int64) *Peer {
	if len(set.peers) == 0 {
		return nil
	}
	if p := c.bound(set, now); p != nil {
		if _, ok := c.up.method.(roundRobin); ok {
			return c.prefer(set, p, now)
		}
		return p
	}
	return c.up.method.get(c, set, now)
}

// bound is the peer of a set that sticky asks for, nil when it cannot be asked
// (ngx_http_upstream_get_rr_peer_by_sid).
func (c *Choice) bound(set *peerSet, now int64) *Peer {
	if c.hint == "" {
		return nil
	}
	for _, p := range set.peers {
		if p.sid != c.hint {
			continue
		}
		if c.tried[p] || p.down == down || !p.well(now) {
			return nil
		}
		return p
	}
	return nil
}

// prefer gives the turn to a peer that a client is bound to. It pays for that with its
// weight, but not for more than one turn in a row.
func (c *Choice) prefer(set *peerSet, p *Peer, now int64) *Peer {
	if p.current <= p.weight-set.weight {
		return p
	}
	_, total := c.weigh(set, now, nil)
	p.current -= total
	return p
}

// free reports whether c may go to p now.
func (c *Choice) free(p *Peer, now int64) bool { return !c.tried[p] && p.down == up && p.well(now) }

// maxMisses is how many peers a method that hashes or guesses may come upon in vain
// before the round robin chooses.
const maxMisses = 20

// roundRobin is the smooth weighted round robin, what an upstream does that names no
// other method.
type roundRobin struct{}

func (roundRobin) prepare(*Upstream) {}
func (roundRobin) start(*Choice)     {}

func (roundRobin) get(c *Choice, set *peerSet, now int64) *Peer { return c.weighted(set, now, nil) }

// weighted lets the free peers of a set take turns by their weights; also, when not
// nil, says which of them count.
func (c *Choice) weighted(set *peerSet, now int64, also func(p *Peer) bool) *Peer {
	best, total := c.weigh(set, now, also)
	if best != nil {
		best.current -= total
	}
	return best
}

// weigh finds whose turn it is, and how much the turn costs.
func (c *Choice) weigh(set *peerSet, now int64, also func(p *Peer) bool) (best *Peer, total int) {
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
	return best, total
}

// Outcome is how an attempt at a peer ended.
type Outcome uint8

const (
	Succeeded Outcome = iota
	Failed
	Refused // the peer is well, it only has no answer
)

// Header notes that the head of a response of p has come, and how long that took since the
// attempt began.
func (c *Choice) Header(p *Peer, took time.Duration) {
	u := c.up
	if m, ok := u.method.(*leastTime); ok {
		u.mu.Lock()
		m.header(c, p, took)
		u.mu.Unlock()
	}
	if u.sticky != nil && u.sticky.early && u.sticky.sessions != nil {
		u.sticky.learn(c, p)
	}
}

// Done notes how an attempt at a peer ended and tells whether the peer has failed
// so often that it is left alone for a while. head and whole are how long it took until the
// head of the response was there, and until the end, NoTime if that has not come
// (ngx_http_upstream_free_round_robin_peer).
func (c *Choice) Done(p *Peer, how Outcome, head, whole time.Duration) (disabled bool) {
	u := c.up
	if s := u.sticky; s != nil && s.sessions != nil && !s.early && how == Succeeded {
		s.learn(c, p)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if m, ok := u.method.(*leastTime); ok {
		m.end(c, p, how, head, whole)
	}
	p.conns--
	if u.single() && !u.Balanced.Load() {
		p.fails = 0
		c.Tries = 0
		return false
	}
	if how == Failed {
		now := time.Now().Unix()
		p.fails++
		p.accessed, p.checked = now, now
		if p.maxFails > 0 {
			p.effective -= p.weight / p.maxFails
			disabled = p.fails >= p.maxFails
		}
		p.effective = max(p.effective, 0)
	} else if p.accessed < p.checked {
		p.fails = 0
	}
	if c.Tries > 0 {
		c.Tries--
	}
	return disabled
}
