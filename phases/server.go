package phases

import (
	"fmt"
	"sort"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// serverName is one word of server_name.
type serverName struct {
	text string
	re   *confRegex
}

// serverNames finds the server for a Host: exact names, then the longest
// *.suffix, then the longest prefix.*, then regexes in file order
// (ngx_http_find_virtual_server).
type serverNames struct {
	exact   map[string]*Server
	heads   []wildName // .example.com, longest first
	tails   []wildName // www.example., longest first
	regexes []regexName
}

type wildName struct {
	text   string
	server *Server
}

type regexName struct {
	re     *confRegex
	server *Server
}

// FindServer is the server that answers for host on this address. Captures of
// a regex name go to r; when a regex could not be tried to its end r is
// not answered.
func (l *Listen) FindServer(r *Request, host string) *Server {
	n := &l.names
	if len(l.servers) == 1 && len(n.regexes) == 0 {
		return l.Default
	}
	if s, ok := n.exact[host]; ok {
		return s
	}
	if host != "" {
		for i := range n.heads {
			if strings.HasSuffix(host, n.heads[i].text) {
				return n.heads[i].server
			}
		}
		for i := range n.tails {
			if strings.HasPrefix(host, n.tails[i].text) && len(host) > len(n.tails[i].text) {
				return n.tails[i].server
			}
		}
		for i := range n.regexes {
			switch n.regexes[i].re.exec(r, host) {
			case rcError:
				r.noServer = true
				return l.Default
			case rcOK:
				return n.regexes[i].server
			}
		}
	}
	return l.Default
}

// add gives the names of s to the address; names that are taken stay with the
// earlier server.
func (n *serverNames) add(c *compiler, addr string, s *Server) {
	if n.exact == nil {
		n.exact = map[string]*Server{}
	}
	conflict := func(name string) {
		if c.opts.Log != nil {
			c.opts.Log.Output(errlog.Warn, 0, fmt.Sprintf("conflicting server name \"%s\" on %s, ignored", name, addr))
		}
	}
	for _, name := range s.names {
		text := name.text
		switch {
		case name.re != nil:
			n.regexes = append(n.regexes, regexName{name.re, s})
		case strings.HasPrefix(text, "*."):
			n.heads = append(n.heads, wildName{text[1:], s})
		case strings.HasPrefix(text, "."):
			n.heads = append(n.heads, wildName{text, s})
			if n.exact[text[1:]] == nil {
				n.exact[text[1:]] = s
			}
		case strings.HasSuffix(text, ".*"):
			n.tails = append(n.tails, wildName{text[:len(text)-1], s})
		case n.exact[text] != nil:
			if n.exact[text] != s {
				conflict(text)
			}
		default:
			n.exact[text] = s
		}
	}
}

// sort puts the more specific wildcards first.
func (n *serverNames) sort() {
	longer := func(list []wildName) {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
	}
	longer(n.heads)
	longer(n.tails)
}

// newServer makes a server with room for what the modules say in it.
func (c *compiler) newServer() *Server {
	return &Server{named: map[string]*Location{}, confs: freshSlots(c.modules, slotServer)}
}

// newLevel makes a location, or another level that has its configuration.
func (c *compiler) newLevel(l Location) *Location {
	l.confs = freshSlots(c.modules, slotLocation)
	return &l
}

// isServer tells that l is what a whole server says.
func (l *Location) isServer() bool { return l.kind == matchServer && l.server != nil }

// setServer compiles a server{} block.
func setServer(c *compiler, d *conf.Directive) error {
	s := c.newServer()
	s.loc = c.newLevel(Location{kind: matchServer, outer: c.loc, server: s})
	c.cycle.Servers = append(c.cycle.Servers, s)
	err := c.within(inServer, d, func() {
		c.srv, c.loc, c.script = s, s.loc, &s.loc.script
	})
	if err != nil {
		return err
	}
	if s.listens == 0 {
		_ = c.listen(s, "0.0.0.0:80", listenOptions{})
	}
	if len(s.names) == 0 {
		s.names = []serverName{{text: ""}}
	}
	return nil
}

func setServerName(c *compiler, d *conf.Directive) error {
	for i, arg := range d.Args {
		if strings.Contains(arg, "/") {
			c.warnf(d, "server name \"%s\" has suspicious symbols", arg)
		}
		name := serverName{text: lowerString(arg)}
		if arg == "$hostname" {
			name.text = c.cycle.hostname
		}
		if i == 0 && len(c.srv.names) == 0 {
			c.srv.Name = strings.TrimPrefix(strings.TrimPrefix(name.text, "*"), ".")
			if arg != "" && arg[0] == '~' {
				c.srv.Name = arg
			}
		}
		if arg != "" && arg[0] == '~' {
			if len(arg) == 1 {
				return fmt.Errorf("empty regex in server name \"%s\"", arg)
			}
			pattern := arg[1:]
			re, err := c.regex(pattern, strings.ToLower(pattern) != pattern)
			if err != nil {
				return err
			}
			name.re = re
		} else if strings.Count(arg, "*") > 0 && !strings.HasPrefix(arg, "*.") && !strings.HasSuffix(arg, ".*") {
			return fmt.Errorf("invalid server name or wildcard \"%s\" on 0.0.0.0:80", arg)
		}
		c.srv.names = append(c.srv.names, name)
	}
	return nil
}

// setLocation compiles a location{} block.
func setLocation(c *compiler, d *conf.Directive) error {
	l, err := c.newLocation(d.Args)
	if err != nil {
		return err
	}
	if err := c.nestLocation(l); err != nil {
		return err
	}
	if l.kind == matchNamed {
		if c.srv.named[l.name] != nil {
			return fmt.Errorf("duplicate location \"%s\"", l.name)
		}
		c.srv.named[l.name] = l
	} else {
		for _, other := range c.loc.children {
			if other.kind == l.kind && other.name == l.name && l.kind != matchRegex ||
				other.name == l.name && isPrefixKind(other.kind) && isPrefixKind(l.kind) {
				return fmt.Errorf("duplicate location \"%s\"", l.name)
			}
		}
		c.loc.children = append(c.loc.children, l)
	}
	return c.within(inLocation, d, func() { c.loc, c.script = l, &l.script })
}

func isPrefixKind(k matchKind) bool { return k == matchPrefix || k == matchNoRegex }

// newLocation reads the modifier and the name of a location.
func (c *compiler) newLocation(args []string) (*Location, error) {
	l := c.newLevel(Location{outer: c.loc, server: c.srv})
	mod, name := "", args[0]
	if len(args) == 2 {
		mod, name = args[0], args[1]
	} else {
		for _, m := range []string{"=", "^~", "~*", "~"} {
			if rest, ok := strings.CutPrefix(name, m); ok {
				mod, name = m, rest
				break
			}
		}
	}
	l.name = name
	var err error
	switch mod {
	case "":
		l.kind = matchPrefix
		if strings.HasPrefix(name, "@") {
			l.kind = matchNamed
		}
	case "=":
		l.kind = matchExact
	case "^~":
		l.kind = matchNoRegex
	case "~", "~*":
		l.kind = matchRegex
		l.regex, err = c.regex(name, mod == "~*")
	default:
		err = fmt.Errorf("invalid location modifier \"%s\"", mod)
	}
	return l, err
}

// nestLocation checks that l may stand inside the current location.
func (c *compiler) nestLocation(l *Location) error {
	outer := c.loc
	if outer.kind == matchServer {
		return nil
	}
	switch {
	case outer.kind == matchExact:
		return fmt.Errorf("location \"%s\" cannot be inside the exact location \"%s\"", l.name, outer.name)
	case outer.kind == matchNamed:
		return fmt.Errorf("location \"%s\" cannot be inside the named location \"%s\"", l.name, outer.name)
	case l.kind == matchNamed:
		return fmt.Errorf("named location \"%s\" can be on the server level only", l.name)
	case l.kind != matchRegex && outer.kind != matchRegex && !strings.HasPrefix(l.name, outer.name):
		return fmt.Errorf("location \"%s\" is outside location \"%s\"", l.name, outer.name)
	}
	return nil
}
