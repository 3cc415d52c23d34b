package core

import (
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

func serverDirectives() []Directive {
	return []Directive{
		{"server", InHTTP, Take0 | TakeBlock, setServer},
		{"server_name", InServer, TakeMore1, setServerName},
		{"listen", InServer, TakeMore1, setListen},
		{"location", InServer | InLocation, Take12 | TakeBlock, setLocation},
		{"client_header_buffer_size", InHTTP | InServer, Take1, SetSize(srv(func(s *Server) *Opt[int64] { return &s.HeaderBufferSize }))},
		{"large_client_header_buffers", InHTTP | InServer, Take2, SetBuffers(srv(func(s *Server) *Opt[Buffers] { return &s.LargeHeaders }))},
		{"client_header_timeout", InHTTP | InServer, Take1, SetMsec(srv(func(s *Server) *Opt[time.Duration] { return &s.HeaderTimeout }))},
		{"max_headers", InHTTP | InServer, Take1, SetNumber(srv(func(s *Server) *Opt[int] { return &s.MaxHeaders }))},
		{"connection_pool_size", InHTTP | InServer, Take1, poolSize(srv(func(s *Server) *Opt[int64] { return &s.connectionPool }))},
		{"ignore_invalid_headers", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.IgnoreInvalid }))},
		{"underscores_in_headers", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.Underscores }))},
		{"merge_slashes", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.MergeSlashes }))},
	}
}

func coreDirectives() []Directive {
	return []Directive{
		{"limit_except", InLocation, TakeMore1 | TakeBlock, setLimitExcept},
		{"root", InAnyLoc, Take1, setRoot},
		{"alias", InLocation, Take1, setRoot},
		{"internal", InLocation, Take0, setInternal},
		{"auth_delay", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.authDelay }))},
		{"satisfy", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.Satisfy }), "all", "any")},
		{"default_type", InHTTPSrvLoc, Take1, SetText(Loc(func(l *Location) *Opt[string] { return &l.defaultType }))},
		{"types", InHTTPSrvLoc, Take0 | TakeBlock, setTypes},
		{"error_page", InAnyLoc, TakeMore2, setErrorPage},
		{"no_error_pages", InAnyLoc, Take0, setNoErrorPages},
		{"recursive_error_pages", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.recursiveErrors }))},
		{"keepalive_timeout", InHTTPSrvLoc, Take12, setKeepalive},
		{"keepalive_min_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.KeepaliveMin }))},
		{"keepalive_disable", InHTTPSrvLoc, Take12, setKeepaliveDisable},
		{"keepalive_requests", InHTTPSrvLoc, Take1, SetNumber(Loc(func(l *Location) *Opt[int] { return &l.KeepaliveRequests }))},
		{"keepalive_time", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.KeepaliveTime }))},
		{"send_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.SendTimeout }))},
		{"lingering_close", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.LingeringClose }), "off", "on", "always")},
		{"lingering_time", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.LingeringTime }))},
		{"lingering_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.LingeringTimeout }))},
		{"reset_timedout_connection", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.ResetTimedout }))},
		{"tcp_nodelay", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.TCPNodelay }))},
		{"postpone_output", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.postponeOutput }))},
		{"limit_rate", InAnyLoc, Take1, SetSizeTemplate(Loc(func(l *Location) *Opt[Template] { return &l.limitRate }))},
		{"limit_rate_after", InAnyLoc, Take1, SetSizeTemplate(Loc(func(l *Location) *Opt[Template] { return &l.limitRateAfter }))},
		{"disable_symlinks", InHTTPSrvLoc, Take12, setDisableSymlinks},
		{"resolver", InHTTPSrvLoc, TakeMore1, setResolver},
		{"resolver_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.ResolverTimeout }))},
		{"post_action", InAnyLoc, Take1, SetText(Loc(func(l *Location) *Opt[string] { return &l.postAction }))},
		{"log_subrequest", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.logSubrequest }))},
		{"log_not_found", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.LogNotFound }))},
		{"if_modified_since", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.IfModifiedSince }), "off", "exact", "before")},
		{"etag", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.etag }))},
		{"server_tokens", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.serverTokens }), "off", "on", "build")},
		{"chunked_transfer_encoding", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.chunkedEncoding }))},
		{"port_in_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.portInRedirect }))},
		{"server_name_in_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.nameInRedirect }))},
		{"absolute_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.AbsoluteRedirect }))},
		{"msie_padding", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.msiePadding }))},
		{"msie_refresh", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.msieRefresh }))},
		{"output_buffers", InHTTPSrvLoc, Take2, SetBuffers(Loc(func(l *Location) *Opt[Buffers] { return &l.outputBuffers }))},
		{"max_ranges", InHTTPSrvLoc, Take1, SetNumber(Loc(func(l *Location) *Opt[int] { return &l.MaxRanges }))},
		{"subrequest_output_buffer_size", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.subrequestBuffer }))},
	}
}

func clientDirectives() []Directive {
	return []Directive{
		{"client_max_body_size", InHTTPSrvLoc, Take1, SetOffset(Loc(func(l *Location) *Opt[int64] { return &l.MaxBodySize }))},
		{"client_body_buffer_size", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.BodyBufferSize }))},
		{"client_body_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.BodyTimeout }))},
		{"client_body_in_file_only", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.bodyInFile }), "off", "on", "clean")},
		{"client_body_in_single_buffer", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.bodyOneBuffer }))},
		{"client_body_temp_path", InHTTPSrvLoc, Take1234, setBodyTempPath},
	}
}

func setRoot(c *Compiler, d *conf.Directive) error {
	l := c.Loc
	alias := d.Name == "alias"
	if l.rootWritten {
		if (l.Alias != 0) == alias {
			return ErrDuplicate
		}
		other := "root"
		if l.Alias != 0 {
			other = "alias"
		}
		return fmt.Errorf("\"%s\" directive is duplicate, \"%s\" directive was specified earlier", d.Name, other)
	}
	if alias && l.Kind == MatchNamed {
		return fmt.Errorf("the \"alias\" directive cannot be used inside the named location")
	}
	path := d.Args[0]
	for _, own := range []string{"document_root", "realpath_root"} {
		if strings.Contains(path, "$"+own) || strings.Contains(path, "${"+own+"}") {
			return fmt.Errorf("the $%s variable cannot be used in the \"%s\" directive", own, d.Name)
		}
	}
	l.rootWritten = true
	switch {
	case !alias:
		path = strings.TrimSuffix(path, "/")
	case l.Kind == MatchRegex:
		l.Alias = aliasWhole
	default:
		l.Alias = len(l.Name)
	}
	if !HasVariables(path) {
		path = c.FullPath(path)
	}
	t, err := c.Template(path)
	l.root = Opt[Template]{V: t, Set: true}
	return err
}

func setInternal(c *Compiler, _ *conf.Directive) error {
	c.Loc.internal = true
	return nil
}

// setErrorPage reads error_page CODE... [=[STATUS]] TARGET.
func setErrorPage(c *Compiler, d *conf.Directive) error {
	args := d.Args
	target := args[len(args)-1]
	codes := args[:len(args)-1]
	status := keepStatus
	if last := codes[len(codes)-1]; strings.HasPrefix(last, "=") && len(codes) > 1 {
		if last == "=" {
			status = handlerStatus
		} else {
			n, ok := ngxtext.ParseDecimal(last[1:])
			if !ok {
				return fmt.Errorf("invalid value \"%s\"", last)
			}
			status = int(n)
		}
		codes = codes[:len(codes)-1]
	}
	t, err := c.Template(target)
	if err != nil {
		return err
	}
	for _, word := range codes {
		code, ok := ngxtext.ParseDecimal(word)
		if !ok || code == 499 {
			return fmt.Errorf("invalid value \"%s\"", word)
		}
		if code < 300 || code > 599 {
			return fmt.Errorf("value \"%s\" must be between 300 and 599", word)
		}
		own := status
		if own == keepStatus {
			switch code {
			case 494, 495, 496, 497:
				own = 400
			}
		}
		c.Loc.ErrorPages = append(c.Loc.ErrorPages, ErrorPage{Code: int(code), status: own, target: t})
	}
	return nil
}

// setNoErrorPages inherits no error_page (no_error_pages, OpenResty's).
func setNoErrorPages(c *Compiler, _ *conf.Directive) error {
	if c.Loc.ErrorPages != nil {
		return DirectiveError("conflicts with \"error_page\"")
	}
	c.Loc.ErrorPages = []ErrorPage{}
	return nil
}

func setKeepalive(c *Compiler, d *conf.Directive) error {
	if c.Loc.KeepaliveTimeout.Set {
		return ErrDuplicate
	}
	t, ok := ngxtext.ParseTime(d.Args[0])
	if !ok {
		return ErrInvalidValue
	}
	c.Loc.KeepaliveTimeout = Opt[time.Duration]{t, true}
	var header time.Duration
	if len(d.Args) == 2 {
		if header, ok = ngxtext.ParseSeconds(d.Args[1]); !ok {
			return ErrInvalidValue
		}
	}
	c.Loc.keepaliveHeader = Opt[time.Duration]{header, true}
	return nil
}

// setKeepaliveDisable reads keepalive_disable none, msie6 or safari.
func setKeepaliveDisable(c *Compiler, d *conf.Directive) error {
	f := &c.Loc.keepaliveDisable
	if f.Set {
		return ErrDuplicate
	}
	var set ngxtext.Browsers
	for _, arg := range d.Args {
		bit, ok := map[string]ngxtext.Browsers{"none": 0, "msie6": ngxtext.BrowserMSIE6, "safari": ngxtext.BrowserSafari}[ngxtext.Lower(arg)]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
		if set&bit != 0 {
			c.Warnf(d, "duplicate value \"%s\"", arg)
		}
		set |= bit
	}
	return f.Put(set)
}

func setBodyTempPath(c *Compiler, d *conf.Directive) error {
	if err := c.Loc.bodyTempPath.Put(c.FullPath(d.Args[0])); err != nil {
		return err
	}
	return checkPathLevels(d.Args[1:])
}

// maxPathLevels is how many characters the folders of a hierarchy of files may have
// in their names (NGX_MAX_PATH_LEVEL is 3, of up to 10 with their slashes).
const maxPathLevels = 10

// checkPathLevels looks at the lengths of the names of folders, level by level, that
// follow a path (ngx_conf_set_path_slot). Files have names of their own here, in no
// such folders.
func checkPathLevels(levels []string) error {
	var sum int64
	for _, level := range levels {
		n, ok := ngxtext.ParseDecimal(level)
		if !ok || n == 0 || n > maxPathLevels-sum {
			return ErrInvalidValue
		}
		sum += n
	}
	return nil
}
