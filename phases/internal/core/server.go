package core

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// serverName is one word of server_name.
type serverName struct {
	text string
	re   *Regex
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
	re     *Regex
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
			switch n.regexes[i].re.Exec(r, host) {
			case Error:
				r.noServer = true
				return l.Default
			case OK:
				return n.regexes[i].server
			}
		}
	}
	return l.Default
}

// checkName refuses a name that no Host can have, or a wildcard with a star elsewhere than
// in place of the first or the last label (ngx_hash_add_key).
func checkName(name, addr string) error {
	whole := name
	switch {
	case strings.HasPrefix(name, "*."):
		name = name[2:]
	case strings.HasPrefix(name, ".") && len(name) > 1:
		name = name[1:]
	case len(name) > 2:
		name = strings.TrimSuffix(name, ".*")
	}
	if strings.Contains(name, "*") || strings.Contains(whole, "..") {
		return &conf.Error{Msg: fmt.Sprintf("invalid server name or wildcard \"%s\" on %s", whole, addr)}
	}
	return nil
}

// add gives the names of s to the address; names that are taken stay with the
// earlier server. Those of a server that is alone on it are of no account.
func (n *serverNames) add(c *Compiler, addr string, s *Server, alone bool) error {
	if n.exact == nil {
		n.exact = map[string]*Server{}
	}
	conflict := func(name string) {
		if c.Opts.Log != nil {
			c.Opts.Log.Output(errlog.Warn, 0, fmt.Sprintf("conflicting server name \"%s\" on %s, ignored", name, addr))
		}
	}
	for _, name := range s.names {
		text := name.text
		if name.re == nil && !alone {
			if err := checkName(text, addr); err != nil {
				return err
			}
		}
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
	return nil
}

// sort puts the more specific wildcards first.
func (n *serverNames) sort() {
	longer := func(list []wildName) {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
	}
	longer(n.heads)
	longer(n.tails)
}

// NewServer makes a server with room for what the modules say in it.
func (c *Compiler) NewServer() *Server {
	return &Server{named: map[string]*Location{}, confs: freshSlots(c.modules, slotServer)}
}

// NewLevel makes a location, or another level that has its configuration.
func (c *Compiler) NewLevel(l Location) *Location {
	l.confs = freshSlots(c.modules, slotLocation)
	return &l
}

// IsServer tells that l is what a whole server says.
func (l *Location) IsServer() bool { return l.Kind == MatchServer && l.Server != nil }

// setServer compiles a server{} block.
func setServer(c *Compiler, d *conf.Directive) error {
	s := c.NewServer()
	s.Block = d
	s.Loc = c.NewLevel(Location{Kind: MatchServer, Outer: c.Loc, Server: s})
	c.Cycle.servers = append(c.Cycle.servers, s)
	err := c.Within(InServer, d, func() {
		c.Srv, c.Loc, c.Script = s, s.Loc, &s.Loc.Script
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

func setServerName(c *Compiler, d *conf.Directive) error {
	for i, arg := range d.Args {
		if strings.Contains(arg, "/") {
			c.Warnf(d, "server name \"%s\" has suspicious symbols", arg)
		}
		name := serverName{text: ngxtext.Lower(arg)}
		if arg == "$hostname" {
			name.text = c.Cycle.hostname
		}
		if i == 0 && len(c.Srv.names) == 0 {
			c.Srv.Name = strings.TrimPrefix(name.text, ".")
			if arg != "" && arg[0] == '~' {
				c.Srv.Name = arg
			}
		}
		if arg != "" && arg[0] == '~' {
			if len(arg) == 1 {
				return fmt.Errorf("empty regex in server name \"%s\"", arg)
			}
			pattern := arg[1:]
			re, err := c.Regex(pattern, strings.ToLower(pattern) != pattern)
			if err != nil {
				return err
			}
			name.re = re
		} else if strings.HasPrefix(arg, "*") && (len(arg) < 3 || arg[1] != '.') || arg == "." {
			return fmt.Errorf("server name \"%s\" is invalid", arg)
		}
		c.Srv.names = append(c.Srv.names, name)
	}
	return nil
}

// setLocation compiles a location{} block.
func setLocation(c *Compiler, d *conf.Directive) error {
	l, err := c.newLocation(d.Args)
	if err != nil {
		return err
	}
	if err := c.nestLocation(l); err != nil {
		return err
	}
	if l.Kind == MatchNamed {
		if c.Srv.named[l.Name] == nil { // nginx takes two, and finds the first
			c.Srv.named[l.Name] = l
		}
	} else {
		for _, other := range c.Loc.children {
			if other.Kind == l.Kind && other.Name == l.Name && l.Kind != MatchRegex ||
				other.Name == l.Name && isPrefixKind(other.Kind) && isPrefixKind(l.Kind) {
				return fmt.Errorf("duplicate location \"%s\"", l.Name)
			}
		}
		c.Loc.children = append(c.Loc.children, l)
	}
	return c.Within(InLocation, d, func() { c.Loc, c.Script = l, &l.Script })
}

func isPrefixKind(k MatchKind) bool { return k == MatchPrefix || k == MatchNoRegex }

// newLocation reads the modifier and the name of a location.
func (c *Compiler) newLocation(args []string) (*Location, error) {
	l := c.NewLevel(Location{Outer: c.Loc, Server: c.Srv})
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
	l.Name = name
	var err error
	switch mod {
	case "":
		l.Kind = MatchPrefix
		if strings.HasPrefix(name, "@") {
			l.Kind = MatchNamed
		}
	case "=":
		l.Kind = MatchExact
	case "^~":
		l.Kind = MatchNoRegex
	case "~", "~*":
		l.Kind = MatchRegex
		l.regex, err = c.Regex(name, mod == "~*")
	default:
		err = fmt.Errorf("invalid location modifier \"%s\"", mod)
	}
	return l, err
}

// nestLocation checks that l may stand inside the current location.
func (c *Compiler) nestLocation(l *Location) error {
	outer := c.Loc
	if outer.Kind == MatchServer {
		return nil
	}
	switch {
	case outer.Kind == MatchExact:
		return fmt.Errorf("location \"%s\" cannot be inside the exact location \"%s\"", l.Name, outer.Name)
	case outer.Kind == MatchNamed:
		return fmt.Errorf("location \"%s\" cannot be inside the named location \"%s\"", l.Name, outer.Name)
	case l.Kind == MatchNamed:
		return fmt.Errorf("named location \"%s\" can be on the server level only", l.Name)
	case l.Kind != MatchRegex && outer.Kind != MatchRegex && !strings.HasPrefix(l.Name, outer.Name):
		return fmt.Errorf("location \"%s\" is outside location \"%s\"", l.Name, outer.Name)
	}
	return nil
}

// merge inherits what s does not say from the http level.
func (s *Server) merge(modules []*Module, outer *Server) {
	mergeSlots(modules, slotServer, s.confs, outer.confs, false)
	s.HeaderBufferSize.Merge(outer.HeaderBufferSize, 1024)
	s.LargeHeaders.Merge(outer.LargeHeaders, Buffers{4, 8 << 10})
	s.connectionPool.Merge(outer.connectionPool, 512)
	s.HeaderTimeout.Merge(outer.HeaderTimeout, time.Minute)
	s.MaxHeaders.Merge(outer.MaxHeaders, 1000)
	s.IgnoreInvalid.Merge(outer.IgnoreInvalid, true)
	s.Underscores.Merge(outer.Underscores, false)
	s.MergeSlashes.Merge(outer.MergeSlashes, true)
}

// EachName visits the words of server_name in the order of the file, "" when there is
// none; re is that of one that is a pattern.
func (s *Server) EachName(visit func(text string, re *Regex) error) error {
	for i := range s.names {
		if err := visit(s.names[i].text, s.names[i].re); err != nil {
			return err
		}
	}
	return nil
}
