// Package referer is ngx_http_referer_module: whether a request comes from one of the
// sites that valid_referers names.
package referer

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_referer_module.
var Module = &core.Module{
	Name: "referer",
	Directives: func() []core.Directive {
		const in = core.InServer | core.InLocation
		return []core.Directive{
			{Name: "valid_referers", In: in, Args: core.TakeMore1, Set: setReferers},
			{Name: "referer_hash_max_size", In: in, Args: core.Take1, Set: core.DiscardNumber("referer_hash_max_size")},
			{Name: "referer_hash_bucket_size", In: in, Args: core.Take1, Set: core.DiscardNumber("referer_hash_bucket_size")},
		}
	},
	Variables: func() []core.Variable {
		return []core.Variable{{Name: "invalid_referer", Changeable: true, Get: invalid}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if s := loc.Of(l).sites; s != nil && !s.settled {
			if err := s.settle(l.Server); err != nil {
				b.Fail(err)
			}
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what valid_referers says in a location, nil for nothing. All its lines make
// one table.
type config struct{ sites *sites }

func merge(c, outer *config, _ bool) {
	if c.sites == nil {
		c.sites = outer.sites
	}
}

// sites are those that requests may come from.
type sites struct {
	none        bool // or from nowhere
	blocked     bool // or from what is no URL of http
	serverNames bool
	settled     bool // the server's names are among them

	names          names
	serverPatterns []*core.Regex // matched with the host
	patterns       []*core.Regex // matched with all behind the scheme
}

// setReferers reads valid_referers none | blocked | server_names | NAME[/PATH] | ~PATTERN ...
// (ngx_http_valid_referers).
func setReferers(c *core.Compiler, d *conf.Directive) error {
	own := loc.At(c)
	if own.sites == nil {
		own.sites = &sites{}
	}
	s := own.sites
	for _, arg := range d.Args {
		switch {
		case arg == "":
			return fmt.Errorf("invalid referer \"%s\"", arg)
		case arg == "none":
			s.none = true
		case arg == "blocked":
			s.blocked = true
		case arg == "server_names":
			s.serverNames = true
		case arg == "~":
			return fmt.Errorf("empty regex in \"%s\"", arg)
		case arg[0] == '~':
			re, err := core.Pattern(arg[1:], true)
			if err != nil {
				return err
			}
			s.patterns = append(s.patterns, re)
		default:
			name, path := arg, ""
			if i := strings.IndexByte(arg, '/'); i >= 0 {
				name, path = arg[:i], arg[i:]
			}
			if err := s.names.add(name, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle takes in the names of the server, and looks whether there is a site at all
// (ngx_http_referer_merge_conf).
func (s *sites) settle(server *core.Server) error {
	s.settled = true
	if s.serverNames {
		err := server.EachName(func(text string, re *core.Regex) error {
			if re != nil {
				s.serverPatterns = append(s.serverPatterns, re)
				return nil
			}
			return s.names.add(text, "")
		})
		if err != nil {
			return err
		}
	}
	if (s.none || s.blocked) && s.names.empty() {
		return &conf.Error{Msg: "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive without any valid referer"}
	}
	s.names.sort()
	return nil
}

// maxHost is the longest host that is looked at, in bytes.
const maxHost = 256

// invalid is $invalid_referer: "1" for a request that comes from elsewhere, else empty
// (ngx_http_referer_variable).
func invalid(r *core.Request) (string, bool) {
	s := loc.Of(r.Loc).sites
	if s == nil || s.names.empty() && len(s.patterns) == 0 {
		return "", true
	}
	value, ok := r.In.Get("Referer")
	if !ok {
		return verdict(s.none)
	}
	rest, ok := behindScheme(value)
	if !ok {
		return verdict(s.blocked)
	}
	host, path := rest, ""
	if end := strings.IndexAny(rest, "/:"); end >= 0 {
		host, path = rest[:end], rest[end:]
	}
	if len(host) > maxHost {
		return verdict(false)
	}
	host = ngxtext.Lower(host)
	if prefix, found := s.names.find(host); found {
		i := max(strings.IndexByte(path, '/'), 0)
		return verdict(strings.HasPrefix(path[i:], prefix))
	}
	for _, list := range [...]struct {
		patterns []*core.Regex
		text     string
	}{{s.serverPatterns, host}, {s.patterns, rest}} {
		for _, re := range list.patterns {
			switch re.Test(r, list.text) {
			case core.OK:
				return verdict(true)
			case core.Error:
				return "", false
			}
		}
	}
	return verdict(false)
}

func verdict(valid bool) (string, bool) {
	if valid {
		return "", true
	}
	return "1", true
}

// behindScheme takes http:// or https:// away. What is too short to hold a site
// behind it is not looked at.
func behindScheme(referer string) (rest string, ok bool) {
	if len(referer) < len("http://i.ru") {
		return "", false
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if ngxtext.EqualFold(referer[:len(scheme)], scheme) {
			return referer[len(scheme):], true
		}
	}
	return "", false
}
