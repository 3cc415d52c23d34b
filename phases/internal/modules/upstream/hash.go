package upstream

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/inet"
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
	key, err := c.Template(d.Args[0])
	switch {
	case err != nil:
		return err
	case len(d.Args) == 1:
		setMethod(c, d, &plainHash{key}, false)
	case d.Args[1] != "consistent":
		setMethod(c, d, &plainHash{key}, false) // the warning comes first
		return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
	default:
		setMethod(c, d, &consistentHash{key: key}, false)
	}
	return nil
}

// plainHash chooses by a key, as Cache::Memcached does.
type plainHash struct{ key core.Template }

func (h *plainHash) prepare(*Upstream) {}

func (h *plainHash) start(c *Choice) { c.key = h.key.Eval(c.r) }

func (h *plainHash) get(c *Choice, set *peerSet, now int64) *Peer {
	for c.key != "" && c.misses <= maxMisses && set == &c.up.primary {
		text := c.key
		if c.rehash > 0 {
			text = ngxtext.Itoa(int64(c.rehash)) + text
		}
		c.hash += crc32.ChecksumIEEE([]byte(text)) >> 16 & 0x7fff
		c.rehash++
		if p := set.at(int(c.hash % uint32(set.weight))); c.free(p, now) {
			return p
		}
		c.misses++
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
func (h *consistentHash) prepare(u *Upstream) {
	ring := make([]ringPoint, 0, u.primary.weight*pointsPerWeight)
	for _, p := range u.primary.peers {
		host, port := hashParts(p.server)
		base := []byte(host + "\x00" + port)
		var previous [4]byte
		for range p.weight * pointsPerWeight {
			hash := crc32.ChecksumIEEE(append(base, previous[:]...))
			ring = append(ring, ringPoint{hash, p.server})
			binary.LittleEndian.PutUint32(previous[:], hash)
		}
	}
	sort.SliceStable(ring, func(i, j int) bool { return ring[i].hash < ring[j].hash })
	h.ring = slices.CompactFunc(ring, func(a, b ringPoint) bool { return a.hash == b.hash })
}

// hashParts parts a server's name from its port.
func hashParts(server string) (host, port string) {
	if inet.IsUnix(server) {
		return server[len("unix:"):], ""
	}
	i := strings.LastIndexByte(server, ':')
	if i < 0 || strings.Trim(server[i+1:], "0123456789") != "" {
		return server, ""
	}
	return server[:i], server[i+1:]
}

func (h *consistentHash) start(c *Choice) {
	c.key = h.key.Eval(c.r)
	c.hash = h.index(crc32.ChecksumIEEE([]byte(c.key)))
}

// index is the first place that is not before hash, the number of places when all are.
func (h *consistentHash) index(hash uint32) uint32 {
	return uint32(sort.Search(len(h.ring), func(i int) bool { return h.ring[i].hash >= hash }))
}

func (h *consistentHash) get(c *Choice, set *peerSet, now int64) *Peer {
	for c.key != "" && c.misses <= maxMisses && set == &c.up.primary && len(h.ring) > 0 {
		server := h.ring[int(c.hash)%len(h.ring)].server
		if p := c.weighted(set, now, func(p *Peer) bool { return p.server == server }); p != nil {
			return p
		}
		c.hash++
		c.misses++
	}
	return c.weighted(set, now, nil)
}
