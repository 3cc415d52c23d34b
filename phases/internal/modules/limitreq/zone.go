package limitreq

import (
	"container/list"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/limits"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/slab"
)

// rate is what limit_req_zone says: how often requests of one key may come.
type rate struct {
	key       core.Template
	keyText   string // as written
	perSecond int64  // thousandths of a request
	*states
}

// setZone reads limit_req_zone KEY zone=NAME:SIZE rate=NUMBER[r/s|r/m].
func setZone(c *core.Compiler, d *conf.Directive) error {
	key, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	own := &rate{key: key, keyText: d.Args[0], perSecond: 1000}
	zoneName, size := "", int64(0)
	for _, arg := range d.Args[1:] {
		word, value, _ := strings.Cut(arg, "=")
		switch word {
		case "zone":
			zoneName, size, err = limits.ParseZone(arg, value)
		case "rate":
			own.perSecond, err = parseRate(arg, value)
		default:
			err = fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if err != nil {
			return err
		}
	}
	if zoneName == "" {
		return fmt.Errorf("\"%s\" must have \"zone\" parameter", d.Name)
	}
	z, err := c.Zone(name, zoneName, size)
	if err != nil {
		return err
	}
	if bound, ok := z.Data.(*rate); ok {
		return fmt.Errorf("%s \"%s\" is already bound to key \"%s\"", d.Name, zoneName, bound.keyText)
	}
	z.Data, z.Init = own, initZone
	return nil
}

// parseRate reads 10r/s, 10r/m, or 10, which are a second too, as thousandths a
// second.
func parseRate(arg, value string) (int64, error) {
	text, seconds := value, int64(1)
	if minute, ok := strings.CutSuffix(value, "r/m"); ok {
		text, seconds = minute, 60
	} else {
		text = strings.TrimSuffix(text, "r/s")
	}
	n, ok := ngxtext.ParseDecimal(text)
	if !ok || n <= 0 {
		return 0, fmt.Errorf("invalid rate \"%s\"", arg)
	}
	return n * 1000 / seconds, nil
}

// initZone gives a zone its states, which a reload keeps as long as the key stays.
func initZone(z *core.Zone, old any) error {
	own := z.Data.(*rate)
	if was, ok := old.(*rate); ok {
		if was.keyText != own.keyText {
			return fmt.Errorf("limit_req \"%s\" uses the \"%s\" key while previously it used the \"%s\" key", z.Name, own.keyText, was.keyText)
		}
		own.states = was.states
		return nil
	}
	own.states = newStates(z)
	return nil
}

// states are those of the keys, as many as the zone's memory holds in nginx.
type states struct {
	mu     sync.Mutex
	byKey  map[string]*list.Element // of *state
	used   *list.List               // the one used last is in front
	memory *slab.Memory
}

// state is one key's.
type state struct {
	key    string
	excess int64
	last   int64 // when a request was counted, as clock says; 0: none yet
	asked  int   // requests that have asked and are not counted yet: it must stay
}

// What nginx puts into a zone's memory, in bytes: the roots of its tree and its queue, a
// text for log lines, and for each key a node in front of it.
const (
	rootSize = 80
	textSize = len(` in limit_req zone ""`) + 1
	nodeSize = 80
)

func newStates(z *core.Zone) *states {
	s := &states{byKey: map[string]*list.Element{}, used: list.New(), memory: slab.New(z.Size)}
	s.memory.Alloc(rootSize)
	s.memory.Alloc(textSize + len(z.Name))
	return s
}

// epoch is where clock begins.
var epoch = time.Now()

// clock is a time in milliseconds that no change of the system's clock touches; it is
// never 0.
func clock() int64 { return time.Since(epoch).Milliseconds() + 1 }

// with is the excess of a key with one more request (ngx_http_limit_req_lookup). The
// first one has none.
func (s *state) with(perSecond, now int64) int64 {
	if s.last == 0 {
		return 0
	}
	return max(s.excess-perSecond*max(now-s.last, 0)/1000+1000, 0)
}

// asked is the state of a key for a request, and the excess that it brings.
type asked struct {
	state   *state
	excess  int64
	counted bool
}

// ask finds or makes the state of a key. ok is false when the excess would be above
// burst, or when there is no state as there is no room for it. The last limit of a
// location counts the request at once; others keep the state for count or release.
func (z *rate) ask(key string, burst, now int64, last bool) (a asked, ok bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if e := z.byKey[key]; e != nil {
		z.used.MoveToFront(e)
		a.state = e.Value.(*state)
	} else if a.state = z.add(key, now); a.state == nil {
		return a, false
	}
	a.excess = a.state.with(z.perSecond, now)
	switch {
	case a.excess > burst:
		return a, false
	case last:
		a.state.excess, a.state.last, a.counted = a.excess, max(a.state.last, now), true
	default:
		a.state.asked++
	}
	return a, true
}

// add makes the state of a new key; nil when there is no room for it.
func (z *rate) add(key string, now int64) *state {
	z.expire(now)
	if size := nodeSize + len(key); !z.memory.Alloc(size) {
		z.evict()
		z.expire(now)
		if !z.memory.Alloc(size) {
			return nil
		}
	}
	s := &state{key: key}
	z.byKey[key] = z.used.PushFront(s)
	return s
}

// count counts a request that has asked, and gives its excess.
func (z *rate) count(a *asked, now int64) int64 {
	if a.counted {
		return a.excess
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	s := a.state
	s.excess = s.with(z.perSecond, now)
	s.last = max(s.last, now)
	s.asked--
	a.excess, a.counted = s.excess, true
	return a.excess
}

// release lets a state go that was asked and will not be counted.
func (z *rate) release(a *asked) {
	if a.state == nil || a.counted {
		return
	}
	z.mu.Lock()
	a.state.asked--
	z.mu.Unlock()
	a.state = nil
}

// idleTime is how long a state is kept at least unless its room is needed, in
// milliseconds.
const idleTime = 60_000

// expire drops up to two states that have nothing to say any more
// (ngx_http_limit_req_expire).
func (z *rate) expire(now int64) {
	for range 2 {
		e := z.used.Back()
		if e == nil {
			return
		}
		s := e.Value.(*state)
		age := now - s.last
		if s.asked > 0 || age < idleTime || s.excess-z.perSecond*age/1000 > 0 {
			return
		}
		z.drop(e)
	}
}

// evict drops the state that was used longest ago, whatever it says.
func (z *rate) evict() {
	if e := z.used.Back(); e != nil && e.Value.(*state).asked == 0 {
		z.drop(e)
	}
}

func (z *rate) drop(e *list.Element) {
	s := z.used.Remove(e).(*state)
	delete(z.byKey, s.key)
	z.memory.Free(nodeSize + len(s.key))
}
