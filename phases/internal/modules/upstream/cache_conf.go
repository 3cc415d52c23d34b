package upstream

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// cacheConf is what a location says about the cache of responses.
type cacheConf struct {
	written    bool // the directive cache stands here
	place      *conf.Directive
	zone       *core.Zone    // nil with off, and where byName names it
	byName     core.Template // with variables
	dynamic    bool          // byName counts
	key        core.Opt[core.Template]
	valid      []validity
	methods    methodSet
	minUses    core.Opt[int]
	bypass     []core.Template
	noCache    []core.Template
	useStale   nextKind // 0: not written
	lock       core.Opt[bool]
	lockTime   core.Opt[time.Duration] // cache_lock_timeout
	lockAge    core.Opt[time.Duration]
	revalidate core.Opt[bool]
	background core.Opt[bool] // cache_background_update
	maxOffset  core.Opt[int64]
	convert    core.Opt[bool] // cache_convert_head
}

// unlimitedOffset is cache_max_range_offset without the directive.
const unlimitedOffset = math.MaxInt64

// validity is one status of cache_valid.
type validity struct {
	status int // 0: any
	time   time.Duration
}

// methodSet are methods whose responses may be cached.
type methodSet uint8

const (
	methodGet methodSet = 1 << iota
	methodHead
	methodPost
)

var methodBits = map[string]methodSet{"GET": methodGet, "HEAD": methodHead, "POST": methodPost}

// on tells whether responses may come from a cache.
func (p *cacheConf) on() bool { return p.zone != nil || p.dynamic }

// merge takes over from the level around.
func (p *cacheConf) merge(outer *cacheConf) {
	if !p.written {
		p.written, p.place, p.zone, p.byName, p.dynamic = outer.written, outer.place, outer.zone, outer.byName, outer.dynamic
	}
	if !p.key.Set {
		p.key = outer.key
	}
	if p.valid == nil {
		p.valid = outer.valid
	}
	if p.methods == 0 {
		p.methods = outer.methods
	}
	p.methods |= methodGet | methodHead
	if p.bypass == nil {
		p.bypass = outer.bypass
	}
	if p.noCache == nil {
		p.noCache = outer.noCache
	}
	if p.useStale == 0 {
		p.useStale = outer.useStale
	}
	if p.useStale&nextOff != 0 {
		p.useStale = nextOff
	}
	if p.useStale&nextError != 0 {
		p.useStale |= nextNoLive
	}
	p.minUses.Merge(outer.minUses, 1)
	p.lock.Merge(outer.lock, false)
	p.lockTime.Merge(outer.lockTime, 5*time.Second)
	p.lockAge.Merge(outer.lockAge, 5*time.Second)
	p.revalidate.Merge(outer.revalidate, false)
	p.background.Merge(outer.background, false)
	p.maxOffset.Merge(outer.maxOffset, unlimitedOffset)
	p.convert.Merge(outer.convert, true)
}

// stale tells whether a failure of this kind is answered with what the cache has.
func (p *cacheConf) stale(kind nextKind) bool {
	return p.useStale&nextOff == 0 && kind != 0 && p.useStale&kind != 0
}

// validFor is how long a response of that status is valid that does not say so itself, 0 when
// it is not kept (ngx_http_file_cache_valid).
func (p *cacheConf) validFor(status int) time.Duration {
	for _, v := range p.valid {
		if v.status == 0 || v.status == status {
			return v.time
		}
	}
	return 0
}

// anyOf tells whether one of the texts is neither empty nor "0" (ngx_http_test_predicates).
func anyOf(r *core.Request, list []core.Template) bool {
	return slices.ContainsFunc(list, func(t core.Template) bool {
		v := t.Eval(r)
		return v != "" && v != "0"
	})
}

// cache are the directives of the response cache.
func (s setters) cache() []core.Directive {
	flag := func(f func(p *cacheConf) *core.Opt[bool]) core.Setter {
		return s.flag(func(p *Config) *core.Opt[bool] { return f(&p.cache) })
	}
	msec := func(f func(p *cacheConf) *core.Opt[time.Duration]) core.Setter {
		return s.msec(func(p *Config) *core.Opt[time.Duration] { return f(&p.cache) })
	}
	list := []core.Directive{
		{Name: "cache", Args: core.Take1, Set: s.setCache},
		{Name: "cache_path", In: core.InHTTP, Args: core.TakeMore2, Set: s.setCachePath},
		{Name: "cache_key", Args: core.Take1, Set: core.SetTemplate(func(c *core.Compiler) *core.Opt[core.Template] { return &s.at(c).cache.key })},
		{Name: "cache_valid", Args: core.TakeMore1, Set: s.setCacheValid},
		{Name: "cache_methods", Args: core.TakeMore1, Set: s.setCacheMethods},
		{Name: "cache_min_uses", Args: core.Take1, Set: core.SetNumber(func(c *core.Compiler) *core.Opt[int] { return &s.at(c).cache.minUses })},
		{Name: "cache_bypass", Args: core.TakeMore1, Set: s.predicates(func(p *cacheConf) *[]core.Template { return &p.bypass })},
		{Name: "no_cache", Args: core.TakeMore1, Set: s.predicates(func(p *cacheConf) *[]core.Template { return &p.noCache })},
		{Name: "cache_use_stale", Args: core.TakeMore1, Set: s.setUseStale},
		{Name: "cache_lock", Args: core.TakeFlag, Set: flag(func(p *cacheConf) *core.Opt[bool] { return &p.lock })},
		{Name: "cache_lock_timeout", Args: core.Take1, Set: msec(func(p *cacheConf) *core.Opt[time.Duration] { return &p.lockTime })},
		{Name: "cache_lock_age", Args: core.Take1, Set: msec(func(p *cacheConf) *core.Opt[time.Duration] { return &p.lockAge })},
		{Name: "cache_revalidate", Args: core.TakeFlag, Set: flag(func(p *cacheConf) *core.Opt[bool] { return &p.revalidate })},
		{Name: "cache_background_update", Args: core.TakeFlag, Set: flag(func(p *cacheConf) *core.Opt[bool] { return &p.background })},
		{Name: "cache_max_range_offset", Args: core.Take1, Set: core.SetOffset(func(c *core.Compiler) *core.Opt[int64] { return &s.at(c).cache.maxOffset })},
	}
	if s.ConvertsHead {
		list = append(list, core.Directive{Name: "cache_convert_head", Args: core.TakeFlag, Set: flag(func(p *cacheConf) *core.Opt[bool] { return &p.convert })})
	}
	return list
}

// setCache reads cache ZONE | off.
func (s setters) setCache(c *core.Compiler, d *conf.Directive) error {
	p := &s.at(c).cache
	switch {
	case p.written:
		return core.ErrDuplicate
	case s.at(c).store.on():
		return core.DirectiveError("is incompatible with \"" + s.Prefix + "store\"")
	}
	p.written, p.place = true, d
	if d.Args[0] == "off" {
		return nil
	}
	t, err := c.Template(d.Args[0])
	if err != nil {
		return err
	}
	if !t.IsStatic() {
		p.byName, p.dynamic = t, true
		return nil
	}
	p.zone, err = c.Zone(s.zoneUser(), d.Args[0], 0)
	return err
}

// setCacheValid reads cache_valid [CODE...] TIME.
func (s setters) setCacheValid(c *core.Compiler, d *conf.Directive) error {
	codes, last := d.Args[:len(d.Args)-1], d.Args[len(d.Args)-1]
	t, ok := ngxtext.ParseSeconds(last)
	if !ok {
		return fmt.Errorf("invalid time value \"%s\"", last)
	}
	p := &s.at(c).cache
	if len(codes) == 0 {
		codes = []string{"200", "301", "302"}
	}
	for _, code := range codes {
		v := validity{time: t}
		if code != "any" {
			n, ok := ngxtext.ParseDecimal(code)
			if !ok || n < 100 || n > 599 {
				return fmt.Errorf("invalid status \"%s\"", code)
			}
			v.status = int(n)
		}
		p.valid = append(p.valid, v)
	}
	return nil
}

// setCacheMethods reads cache_methods GET | HEAD | POST...
func (s setters) setCacheMethods(c *core.Compiler, d *conf.Directive) error {
	p := &s.at(c).cache
	for _, arg := range d.Args {
		bit := methodBits[strings.ToUpper(arg)]
		switch {
		case bit == 0:
			return fmt.Errorf("invalid value \"%s\"", arg)
		case p.methods&bit != 0:
			c.Warnf(d, "duplicate value \"%s\"", arg)
		}
		p.methods |= bit
	}
	return nil
}

// predicates reads a list of texts one of which has to say yes.
func (s setters) predicates(f func(p *cacheConf) *[]core.Template) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		list := f(&s.at(c).cache)
		for _, arg := range d.Args {
			t, err := c.Template(arg)
			if err != nil {
				return err
			}
			*list = append(*list, t)
		}
		return nil
	}
}

// setUseStale reads cache_use_stale WORD...
func (s setters) setUseStale(c *core.Compiler, d *conf.Directive) error {
	p := &s.at(c).cache
	for _, word := range d.Args {
		kind := nextWords[word]
		switch {
		case !slices.Contains(s.Next, word):
			return fmt.Errorf("invalid value \"%s\"", word)
		case p.useStale&kind != 0:
			c.Warnf(d, "duplicate value \"%s\"", word)
		}
		p.useStale |= kind
	}
	return nil
}
