package upstream

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// StickyModule is ngx_http_upstream_sticky_module: a client stays with the peer that it
// came to first.
var StickyModule = &core.Module{
	Name: "upstream_sticky",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "sticky", In: core.InUpstream, Args: core.TakeMore2, Set: setSticky}}
	},
}

// sticky is what binds clients to peers: a cookie of our own, a variable that has the
// route, or sessions that upstreams create.
type sticky struct {
	lookup   []int // indexes of variables: the first that has a value tells the peer or the session
	create   []int // of variables that have a new session
	sessions *sessions
	early    bool // a session is noted when the head of its response is there

	cookie   string // "" without
	expires  core.Opt[time.Duration]
	forever  bool // expires=max
	domain   core.Opt[core.Template]
	path     core.Opt[string]
	samesite core.Opt[core.Template]
	httponly bool
	secure   bool
}

// setSticky reads sticky cookie|route|learn and what belongs to it.
func setSticky(c *core.Compiler, d *conf.Directive) error {
	u := Server.At(c)
	if u.stuck {
		return core.ErrDuplicate
	}
	s := &sticky{}
	u.stuck, u.sticky = true, s
	switch d.Args[0] {
	case "cookie":
		return s.setCookie(c, d)
	case "route":
		for _, arg := range d.Args[1:] {
			name, ok := strings.CutPrefix(arg, "$")
			if !ok {
				return fmt.Errorf("invalid variable name \"%s\"", arg)
			}
			s.lookup = append(s.lookup, c.VarIndex(name))
		}
		return nil
	case "learn":
		return s.setLearn(c, d, u)
	}
	return fmt.Errorf("unknown parameter \"%s\"", d.Args[0])
}

// setCookie reads cookie NAME [expires=TIME|max] [domain=] [path=] [httponly] [secure]
// [samesite=].
func (s *sticky) setCookie(c *core.Compiler, d *conf.Directive) error {
	s.cookie = d.Args[1]
	if s.cookie == "" {
		return core.DirectiveError("empty cookie name")
	}
	for _, arg := range d.Args[2:] {
		key, value, valued := strings.Cut(arg, "=")
		again := func(is bool) error {
			if is {
				return core.DirectiveError(fmt.Sprintf("parameter \"%s\" is duplicate", key))
			}
			return nil
		}
		var err error
		switch {
		case key == "domain" && valued:
			err = s.setText(c, key, value, &s.domain)
		case key == "path" && valued:
			if err = again(s.path.Set); err == nil && value == "" {
				err = core.DirectiveError("no value for \"path\"")
			}
			s.path = core.Opt[string]{V: value, Set: true}
		case key == "expires" && valued:
			err = again(s.expires.Set)
			s.expires.Set, s.forever = true, value == "max"
			var ok bool
			if s.expires.V, ok = ngxtext.ParseSeconds(value); err == nil && !ok && !s.forever {
				err = core.DirectiveError("invalid \"expires\" parameter value")
			}
		case arg == "httponly":
			err = again(s.httponly)
			s.httponly = true
		case arg == "secure":
			err = again(s.secure)
			s.secure = true
		case key == "samesite" && valued:
			if err = again(s.samesite.Set); err == nil {
				s.samesite.Set = true
				if s.samesite.V, err = c.Template(value); err == nil && s.samesite.V.IsStatic() && !isSameSite(value) {
					err = core.DirectiveError("invalid \"samesite\" parameter value")
				}
			}
		default:
			err = fmt.Errorf("unknown parameter \"%s\"", arg)
		}
		if err != nil {
			return err
		}
	}
	s.lookup = append(s.lookup, c.VarIndex("cookie_"+s.cookie))
	return nil
}

// setText reads a parameter of the cookie that may have variables.
func (s *sticky) setText(c *core.Compiler, key, value string, field *core.Opt[core.Template]) (err error) {
	switch {
	case field.Set:
		return core.DirectiveError(fmt.Sprintf("parameter \"%s\" is duplicate", key))
	case value == "":
		return core.DirectiveError(fmt.Sprintf("no value for \"%s\"", key))
	}
	field.Set = true
	field.V, err = c.Template(value)
	return err
}

// isSameSite tells whether a cookie may have the attribute SameSite of that value.
func isSameSite(value string) bool {
	return ngxtext.EqualFold(value, "strict") || ngxtext.EqualFold(value, "lax") || ngxtext.EqualFold(value, "none")
}

// setLearn reads learn create=$V lookup=$V zone=NAME:SIZE [timeout=TIME] [header].
func (s *sticky) setLearn(c *core.Compiler, d *conf.Directive, u *Upstream) error {
	zone, size, timeout := "", int64(0), time.Duration(0)
	for _, arg := range d.Args[1:] {
		key, value, valued := strings.Cut(arg, "=")
		var err error
		switch {
		case key == "zone" && valued:
			if size != 0 {
				return core.DirectiveError("duplicate zone")
			}
			zone, size, err = learnZone(value)
		case key == "timeout" && valued:
			if timeout != 0 {
				return core.DirectiveError("duplicate timeout")
			}
			var ok bool
			if timeout, ok = ngxtext.ParseTime(value); !ok || timeout == 0 {
				return core.DirectiveError("invalid timeout")
			}
		case (key == "create" || key == "lookup") && valued:
			name, ok := strings.CutPrefix(value, "$")
			if !ok {
				return core.DirectiveError(fmt.Sprintf("missing variable in the \"%s\" parameter", key))
			}
			list := &s.create
			if key == "lookup" {
				list = &s.lookup
			}
			*list = append(*list, c.VarIndex(name))
		case arg == "header":
			s.early = true
		default:
			err = fmt.Errorf("unknown parameter \"%s\"", arg)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case len(s.lookup) == 0:
		return core.DirectiveError("\"lookup\" parameter is not specified")
	case len(s.create) == 0:
		return core.DirectiveError("\"create\" parameter is not specified")
	case size == 0:
		return core.DirectiveError("\"zone\" parameter is not specified")
	case timeout == 0:
		timeout = 10 * time.Minute
	}
	return s.makeSessions(c, u, zone, size, timeout)
}

// learnZone reads NAME:SIZE.
func learnZone(value string) (name string, size int64, err error) {
	name, text, ok := strings.Cut(value, ":")
	switch {
	case !ok:
		return "", 0, core.DirectiveError("zone size is not specified")
	case name == "":
		return "", 0, core.DirectiveError("zone name is not specified")
	}
	switch size, ok = ngxtext.ParseSize(text, false); {
	case !ok:
		return "", 0, core.DirectiveError("invalid zone size")
	case size < core.MinZone:
		return "", 0, core.DirectiveError("zone is too small")
	}
	return name, size, nil
}

// value is the first of some variables that is not empty.
func value(r *core.Request, vars []int) string {
	for _, i := range vars {
		if v, ok := r.Indexed(i); ok && v != "" {
			return v
		}
	}
	return ""
}

// begin finds what the client says it is bound to.
func (s *sticky) begin(c *Choice) { c.client = value(c.r, s.lookup) }

// look finds the peer that a client is bound to, before each attempt.
func (s *sticky) look(c *Choice) {
	c.hint = c.client
	if s.sessions != nil && c.client != "" {
		c.hint = s.sessions.find(c.client, time.Now())
	}
}

// chosen tells the client which peer it is bound to from now on.
func (s *sticky) chosen(c *Choice, p *Peer) {
	if s.cookie == "" {
		return
	}
	text := s.setCookieText(c.r, p.sid)
	headers := &c.r.Out.Headers
	if i := c.cookie - 1; i >= 0 && i < len(*headers) && (*headers)[i].Name == "Set-Cookie" {
		(*headers)[i].Value = text
		return
	}
	headers.Add("Set-Cookie", text)
	c.cookie = len(*headers)
}

// setCookieText is the value of Set-Cookie.
func (s *sticky) setCookieText(r *core.Request, sid string) string {
	var b strings.Builder
	b.WriteString(s.cookie + "=" + sid)
	switch {
	case s.forever:
		b.WriteString("; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000")
	case s.expires.Set:
		seconds := int64(s.expires.V / time.Second)
		b.WriteString("; expires=" + ngxtext.CookieTime(time.Now().Unix()+seconds) + "; max-age=" + strconv.FormatInt(seconds, 10))
	}
	if domain := s.domain.V.Eval(r); domain != "" {
		b.WriteString("; domain=" + domain)
	}
	if s.httponly {
		b.WriteString("; httponly")
	}
	if s.secure {
		b.WriteString("; secure")
	}
	if site := s.samesite.V.Eval(r); site != "" {
		if !isSameSite(site) {
			site = "strict"
		}
		b.WriteString("; samesite=" + site)
	}
	if s.path.Set {
		b.WriteString("; path=" + s.path.V)
	}
	return b.String()
}

// learn notes the session that a peer has created or gone on with.
func (s *sticky) learn(c *Choice, p *Peer) {
	session, isNew := value(c.r, s.create), true
	if session == "" {
		session, isNew = c.client, false
	}
	if session == "" {
		return
	}
	if text := s.sessions.note(session, p.sid, isNew, time.Now()); text != "" {
		c.r.Log(errlog.Warn, text)
	}
}
