package upstream

import (
	"fmt"
	"math/rand/v2"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// RandomModule is ngx_http_upstream_random_module.
var RandomModule = &core.Module{
	Name: "upstream_random",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "random", In: core.InUpstream, Args: core.Take0 | core.Take12, Set: setRandom}}
	},
}

// setRandom reads random [two [least_conn]].
func setRandom(c *core.Compiler, d *conf.Directive) error {
	for i, word := range []string{"two", "least_conn"} {
		if len(d.Args) > i && d.Args[i] != word {
			setMethod(c, d, random{}, false) // the warning comes first
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[i])
		}
	}
	setMethod(c, d, random{two: len(d.Args) > 0}, false)
	return nil
}

// random chooses by chance and weights: one peer, or of two the one that has fewer
// connections for its weight.
type random struct{ two bool }

func (random) prepare(*Upstream) {}
func (random) start(*Choice)     {}

func (m random) get(c *Choice, set *peerSet, now int64) *Peer {
	if set != &c.up.primary || len(set.peers) < 2 {
		return c.weighted(set, now, nil)
	}
	var first *Peer
	for c.misses <= maxMisses {
		p := set.at(rand.IntN(set.weight))
		switch {
		case p == first || !c.free(p, now):
			c.misses++
		case !m.two:
			return p
		case first == nil:
			first = p
		case p.conns*first.weight > first.conns*p.weight:
			return first
		default:
			return p
		}
	}
	return c.weighted(set, now, nil)
}
