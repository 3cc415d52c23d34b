// Package browser is ngx_http_browser_module: variables tell what kind of browser the
// client says it is.
package browser

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_browser_module.
var Module = &core.Module{
	Name: "browser",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "modern_browser", In: core.InHTTPSrvLoc, Args: core.Take12, Set: setModern},
			{Name: "ancient_browser", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setAncient},
			{Name: "modern_browser_value", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setValue(func(c *config) *core.Opt[string] { return &c.modernValue })},
			{Name: "ancient_browser_value", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setValue(func(c *config) *core.Opt[string] { return &c.ancientValue })},
		}
	},
	Variables: func() []core.Variable {
		return []core.Variable{
			{Name: "msie", Changeable: true, Get: core.Always(msie)},
			{Name: "modern_browser", Changeable: true, Get: core.Always(modern)},
			{Name: "ancient_browser", Changeable: true, Get: core.Always(ancient)},
		}
	},
	Conf: []core.ConfSlot{loc},
}

var loc = core.NewLocSlot(merge)

// config is what the directives say in a location.
type config struct {
	modern    []version // in the order of kinds
	unlisted  bool      // those that are not listed are modern
	ancient   []string
	netscape4 bool

	modernValue, ancientValue core.Opt[string]
}

// kind is a browser that has versions, as it says so in User-Agent.
type kind struct {
	name string // of the directive
	skip int    // its word is not looked for earlier
	word string // what goes before the version
	add  int    // bytes from the word's start to the version
}

// kinds are asked in this order: Opera may say that it is MSIE.
var kinds = []kind{
	{"opera", 0, "Opera", len("Opera ")},
	{"msie", len("Mozilla/4.0 (compatible; "), "MSIE ", len("MSIE ")},
	{"gecko", len("Mozilla/5.0 ("), "rv:", len("rv:")},
	{"safari", len("Mozilla/5.0 ("), "Safari/", len("Safari/")},
	{"konqueror", len("Mozilla/5.0 (compatible; "), "Konqueror/", len("Konqueror/")},
}

// version is a kind of browser and the first version that is modern.
type version struct {
	kind int // in kinds
	from uint64
}

// unreachable is the version of a browser that is never modern.
const unreachable = 4001000000

func merge(c, outer *config, _ bool) {
	if c.modern == nil && !c.unlisted {
		c.modern, c.unlisted = outer.modern, outer.unlisted
	} else if c.modern != nil {
		if !slices.ContainsFunc(c.modern, func(v version) bool { return v.kind == 0 }) {
			c.modern = append(c.modern, version{0, unreachable})
		}
		slices.SortStableFunc(c.modern, func(a, b version) int { return a.kind - b.kind })
	}
	if c.ancient == nil && !c.netscape4 {
		c.ancient, c.netscape4 = outer.ancient, outer.netscape4
	}
	c.modernValue.Merge(outer.modernValue, "1")
	c.ancientValue.Merge(outer.ancientValue, "1")
}

// setModern reads modern_browser BROWSER VERSION | unlisted.
func setModern(c *core.Compiler, d *conf.Directive) error {
	own := loc.At(c)
	if len(d.Args) == 1 {
		if d.Args[0] != "unlisted" {
			return core.ErrInvalidValue
		}
		own.unlisted = true
		return nil
	}
	k := slices.IndexFunc(kinds, func(k kind) bool { return ngxtext.EqualFold(k.name, d.Args[0]) })
	if k < 0 {
		return fmt.Errorf("unknown browser name \"%s\"", d.Args[0])
	}
	from, rest := parseVersion(d.Args[1])
	if rest != "" {
		return fmt.Errorf("invalid browser version \"%s\"", d.Args[1])
	}
	own.modern = append(own.modern, version{k, from})
	return nil
}

// parseVersion reads a version of up to four numbers as one number; rest is what stands
// behind it.
func parseVersion(s string) (v uint64, rest string) {
	var n uint64
	scale := uint64(1000000)
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + uint64(c-'0')
		case c == '.':
			v += n * scale
			n = 0
			scale /= 100
		default:
			return v + n*scale, s[i:]
		}
	}
	return v + n*scale, ""
}

// setAncient reads ancient_browser TEXT... | netscape4.
func setAncient(c *core.Compiler, d *conf.Directive) error {
	own := loc.At(c)
	for _, arg := range d.Args {
		if arg == "netscape4" {
			own.netscape4 = true
			continue
		}
		own.ancient = append(own.ancient, arg)
	}
	return nil
}

// setValue stores what a variable says of a browser of its kind; the last one counts.
func setValue(field func(c *config) *core.Opt[string]) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		*field(loc.At(c)) = core.Opt[string]{V: d.Args[0], Set: true}
		return nil
	}
}

// isModern judges what User-Agent says (ngx_http_browser).
func (c *config) isModern(r *core.Request) bool {
	agent, ok := r.In.Get("User-Agent")
	if !ok {
		return c.unlisted
	}
	for _, v := range c.modern {
		if is, known := v.judge(agent); known {
			return is
		}
	}
	if c.modern != nil && !c.unlisted {
		return false
	}
	if c.netscape4 && len(agent) > len("Mozilla/4.72 ") && strings.HasPrefix(agent, "Mozilla/") && agent[8] > '0' && agent[8] < '5' {
		return false
	}
	for _, text := range c.ancient {
		if strings.Contains(agent, text) {
			return false
		}
	}
	return c.unlisted
}

// judge tells whether an agent that is of this kind is modern; known is false for others.
func (v *version) judge(agent string) (modern, known bool) {
	k := &kinds[v.kind]
	if k.skip >= len(agent) {
		return false, false
	}
	i := strings.Index(agent[k.skip:], k.word)
	if i < 0 || k.skip+i+k.add >= len(agent) {
		return false, false
	}
	n, _ := parseVersion(agent[k.skip+i+k.add:])
	return n >= v.from, true
}

func modern(r *core.Request) string {
	if c := loc.Of(r.Loc); c.isModern(r) {
		return c.modernValue.V
	}
	return ""
}

func ancient(r *core.Request) string {
	if c := loc.Of(r.Loc); !c.isModern(r) {
		return c.ancientValue.V
	}
	return ""
}

// msie is $msie: "1" for a browser that says it is MSIE.
func msie(r *core.Request) string {
	agent, _ := r.In.Get("User-Agent")
	if ngxtext.BrowserOf(agent)&ngxtext.BrowserMSIE != 0 {
		return "1"
	}
	return ""
}
