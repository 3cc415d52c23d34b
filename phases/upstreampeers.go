package phases

import (
	"encoding/binary"
	"hash/crc32"
	"sort"
	"strings"
	"time"
)

// upstreamPeer is one address of an upstream. A server that is written by a name
// with several addresses makes several peers.
type upstreamPeer struct {
	server      string // as written: peers of one server share their points of a consistent hash
	addr        string // host:port or unix:/path
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
	peers  []*upstreamPeer
	weight int
	tries  int // peers that are not down
}

func (s *peerSet) add(p *upstreamPeer) {
	p.effective = p.weight
	s.peers = append(s.peers, p)
	s.weight += p.weight
	if !p.down {
		s.tries++
	}
}

// usable reports whether a peer may be asked now.
func (p *upstreamPeer) usable(now time.Time) bool {
	return !p.down && p.hasRoom() &&
		!(p.maxFails > 0 && p.fails >= p.maxFails && now.Sub(p.checked) <= p.failTimeout)
}

// hasRoom reports whether max_conns lets one more connection be.
func (p *upstreamPeer) hasRoom() bool { return p.maxConns == 0 || p.conns < p.maxConns }

// peerChoice is the way of one request through the peers of its upstream.
type peerChoice struct {
	up     *Upstream
	backup bool
	tried  map[*upstreamPeer]bool
	tries  int // attempts left, with the current one

	key    string // of hash and ip_hash
	hash   uint32
	rehash int
}

// single reports whether there is but one peer, whose failures are not counted.
func (u *Upstream) single() bool { return len(u.primary.peers) == 1 && len(u.backup.peers) == 0 }

// choose begins a request's way through the peers.
func (u *Upstream) choose(r *Request) *peerChoice {
	c := &peerChoice{up: u, tries: u.primary.tries + u.backup.tries}
	switch u.method {
	case methodHash, methodConsistent:
		c.key = u.hashKey.eval(r)
		c.hash = 0
		if u.method == methodConsistent {
			c.hash = u.ringIndex(crc32.ChecksumIEEE([]byte(c.key)))
		}
	case methodIPHash:
		c.key, c.hash = ipHashKey(r), 89
	}
	return c
}

// next chooses a peer that was not tried yet, nil when none can be asked
// (ngx_http_upstream_get_round_robin_peer and its kin).
func (c *peerChoice) next() *upstreamPeer {
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
	var p *upstreamPeer
	if !c.backup {
		p = c.among(now)
	}
	if p == nil && len(u.backup.peers) > 0 {
		if !c.backup {
			c.backup, c.tried = true, nil
		}
		p = c.weighted(&u.backup, now, "")
	}
	if p == nil {
		return nil
	}
	if c.tried == nil {
		c.tried = map[*upstreamPeer]bool{}
	}
	c.tried[p] = true
	if now.Sub(p.checked) > p.failTimeout {
		p.checked = now
	}
	p.conns++
	return p
}

// hashTries is how often a hash is made anew before the round robin chooses.
const hashTries = 20

// among chooses one of the primary peers by the upstream's method.
func (c *peerChoice) among(now time.Time) *upstreamPeer {
	u := c.up
	set := &u.primary
	switch u.method {
	case methodLeastConn:
		return c.leastConn(set, now)
	case methodHash:
		if c.key == "" {
			break
		}
		for c.rehash < hashTries {
			text := c.key
			if c.rehash > 0 {
				text = itoa(int64(c.rehash)) + text
			}
			c.hash += crc32.ChecksumIEEE([]byte(text)) >> 16 & 0x7fff
			c.rehash++
			if p := set.at(int(c.hash % uint32(set.weight))); !c.tried[p] && p.usable(now) {
				return p
			}
		}
	case methodIPHash:
		for ; c.rehash < hashTries; c.rehash++ {
			for i := 0; i < len(c.key); i++ {
				c.hash = (c.hash*113 + uint32(c.key[i])) % 6271
			}
			if p := set.at(int(c.hash) % set.weight); !c.tried[p] && p.usable(now) {
				return p
			}
		}
	case methodConsistent:
		if c.key == "" {
			break
		}
		for ; c.rehash < hashTries; c.rehash++ {
			if p := c.weighted(set, now, u.ring[int(c.hash)%len(u.ring)].server); p != nil {
				return p
			}
			c.hash++
		}
	}
	return c.weighted(set, now, "")
}

// at is the peer whose share of the weights holds n.
func (s *peerSet) at(n int) *upstreamPeer {
	for _, p := range s.peers {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	return s.peers[0]
}

// weighted is the smooth weighted round robin, among the peers of one server if
// that is named.
func (c *peerChoice) weighted(set *peerSet, now time.Time, server string) *upstreamPeer {
	var best *upstreamPeer
	total := 0
	for _, p := range set.peers {
		if c.tried[p] || server != "" && p.server != server || !p.usable(now) {
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

// leastConn chooses the peer with the fewest connections for its weight; the
// round robin is for those with equally many.
func (c *peerChoice) leastConn(set *peerSet, now time.Time) *upstreamPeer {
	var best *upstreamPeer
	many := false
	for _, p := range set.peers {
		if c.tried[p] || !p.usable(now) {
			continue
		}
		switch {
		case best == nil || p.conns*best.weight < best.conns*p.weight:
			best, many = p, false
		case p.conns*best.weight == best.conns*p.weight:
			many = true
		}
	}
	if !many {
		return best
	}
	least, total := best, 0
	best = nil
	for _, p := range set.peers {
		if c.tried[p] || !p.usable(now) || p.conns*least.weight != least.conns*p.weight {
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
	best.current -= total
	return best
}

// done notes how an attempt at a peer ended and tells whether the peer has failed
// so often that it is left alone for a while
// (ngx_http_upstream_free_round_robin_peer).
func (c *peerChoice) done(p *upstreamPeer, failed bool) (disabled bool) {
	u := c.up
	u.mu.Lock()
	defer u.mu.Unlock()
	p.conns--
	if u.single() && !u.balanced.Load() {
		c.tries = 0
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
	if c.tries > 0 {
		c.tries--
	}
	return disabled
}

// ipHashKey is what ip_hash looks at: the network of an IPv4 client, the address
// of another.
func ipHashKey(r *Request) string {
	addr, isUnix := clientAddr(r.Main.Conn)
	switch b := addr.AsSlice(); {
	case isUnix || len(b) == 0:
		return "\x00\x00\x00"
	case len(b) == 4:
		return string(b[:3])
	default:
		return string(b)
	}
}

// ringPoint is a place on the ring of a consistent hash.
type ringPoint struct {
	hash   uint32
	server string
}

// pointsPerWeight is how many places a server of weight 1 has.
const pointsPerWeight = 160

// buildRing places the servers as Cache::Memcached::Fast does
// (ngx_http_upstream_init_chash).
func (u *Upstream) buildRing() {
	for _, p := range u.primary.peers {
		host, port := hashParts(p.server)
		base := []byte(host + "\x00" + port)
		var previous [4]byte
		for range p.weight * pointsPerWeight {
			hash := crc32.ChecksumIEEE(append(base, previous[:]...))
			u.ring = append(u.ring, ringPoint{hash, p.server})
			binary.LittleEndian.PutUint32(previous[:], hash)
		}
	}
	sort.SliceStable(u.ring, func(i, j int) bool { return u.ring[i].hash < u.ring[j].hash })
	kept := u.ring[:0]
	for i, point := range u.ring {
		if i == 0 || point.hash != kept[len(kept)-1].hash {
			kept = append(kept, point)
		}
	}
	u.ring = kept
}

// hashParts parts a server's name from its port.
func hashParts(server string) (host, port string) {
	if path, ok := strings.CutPrefix(server, "unix:"); ok {
		return path, ""
	}
	i := strings.LastIndexByte(server, ':')
	if i < 0 || strings.Trim(server[i+1:], "0123456789") != "" {
		return server, ""
	}
	return server[:i], server[i+1:]
}

// ringIndex is the first place that is not before hash.
func (u *Upstream) ringIndex(hash uint32) uint32 {
	i := sort.Search(len(u.ring), func(i int) bool { return u.ring[i].hash >= hash })
	return uint32(i % len(u.ring))
}
