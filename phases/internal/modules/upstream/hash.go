package upstream

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// HashModule is ngx_http_upstream_hash_module.
var HashModule = &core.Module{
	Name: "upstream_hash",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "hash", In: core.InUpstream, Args: core.Take12, Set: setHash},
		}
	},
}

// setHash reads hash KEY [consistent].
func setHash(c *core.Compiler, d *conf.Directive) error {
	if len(d.Args) == 2 && d.Args[1] != "consistent" {
		return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
	}
	key, err := c.Template(d.Args[0])
	switch {
	case err != nil:
		return err
	case len(d.Args) == 2:
		setMethod(c, d, &consistentHash{key: key})
	default:
		setMethod(c, d, &plainHash{key})
	}
	return nil
}

// hashTries is how often a hash is made anew before the round robin chooses.
const hashTries = 20

// plainHash chooses by a key, as Cache::Memcached does.
type plainHash struct{ key core.Template }

func (h *plainHash) prepare(u *Upstream) error { return u.noBackups() }

func (h *plainHash) start(c *Choice, r *core.Request) { c.key = h.key.Eval(r) }

func (h *plainHash) get(c *Choice, now time.Time) *Peer {
	set := &c.up.primary
	for c.key != "" && c.rehash < hashTries {
		text := c.key
		if c.rehash > 0 {
			text = ngxtext.Itoa(int64(c.rehash)) + text
		}
		c.hash += crc32.ChecksumIEEE([]byte(text)) >> 16 & 0x7fff
		c.rehash++
		if p := set.at(int(c.hash % uint32(set.weight))); c.free(p, now) {
			return p
		}
	}
	return c.weighted(set, now, nil)
}

// consistentHash chooses by a key so that few keys move when servers come or go
// (ketama, as Cache::Memcached::Fast has it).
type consistentHash struct {
	key  core.Template
	ring []ringPoint
}

// ringPoint is a place on the ring of a consistent hash.
type ringPoint struct {
	hash   uint32
	server string
}

// pointsPerWeight is how many places a server of weight 1 has.
const pointsPerWeight = 160

// prepare places the servers (ngx_http_upstream_init_chash).
func (h *consistentHash) prepare(u *Upstream) error {
	if err := u.noBackups(); err != nil {
		return err
	}
	for _, p := range u.primary.peers {
		host, port := hashParts(p.server)
		base := []byte(host + "\x00" + port)
		var previous [4]byte
		for range p.weight * pointsPerWeight {
			hash := crc32.ChecksumIEEE(append(base, previous[:]...))
			h.ring = append(h.ring, ringPoint{hash, p.server})
			binary.LittleEndian.PutUint32(previous[:], hash)
		}
	}
	sort.SliceStable(h.ring, func(i, j int) bool { return h.ring[i].hash < h.ring[j].hash })
	kept := h.ring[:0]
	for i, point := range h.ring {
		if i == 0 || point.hash != kept[len(kept)-1].hash {
			kept = append(kept, point)
		}
	}
	h.ring = kept
	return nil
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

func (h *consistentHash) start(c *Choice, r *core.Request) {
	c.key = h.key.Eval(r)
	c.hash = h.index(crc32.ChecksumIEEE([]byte(c.key)))
}

// index is the first place that is not before hash.
func (h *consistentHash) index(hash uint32) uint32 {
	i := sort.Search(len(h.ring), func(i int) bool { return h.ring[i].hash >= hash })
	return uint32(i % len(h.ring))
}

func (h *consistentHash) get(c *Choice, now time.Time) *Peer {
	set := &c.up.primary
	for ; c.key != "" && c.rehash < hashTries; c.rehash++ {
		server := h.ring[int(c.hash)%len(h.ring)].server
		if p := c.weighted(set, now, func(p *Peer) bool { return p.server == server }); p != nil {
			return p
		}
		c.hash++
	}
	return c.weighted(set, now, nil)
}
