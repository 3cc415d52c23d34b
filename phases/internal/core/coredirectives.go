package core

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// SetTemplate stores a text with variables.
func SetTemplate(field func(c *Compiler) *Opt[Template]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		t, err := c.Template(d.Args[0])
		if err != nil {
			return err
		}
		return field(c).Put(t)
	}
}

func setWorkerProcesses(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.WorkerProcesses
	if f.Set {
		return ErrDuplicate
	}
	if d.Args[0] == "auto" {
		return f.Put(runtime.GOMAXPROCS(0))
	}
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok {
		return DirectiveError("invalid value")
	}
	return f.Put(int(n))
}

func setEnv(c *Compiler, d *conf.Directive) error {
	c.Cycle.Main.Env = append(c.Cycle.Main.Env, d.Args[0])
	return nil
}

func setEvents(c *Compiler, d *conf.Directive) error { return c.Within(InEvents, d, nil) }

func setHTTP(c *Compiler, d *conf.Directive) error {
	if c.http {
		return ErrDuplicate
	}
	c.http = true
	root := c.NewLevel(Location{Kind: MatchServer})
	defaults := c.NewServer()
	c.Cycle.HTTP = root
	if err := c.Within(InHTTP, d, func() { c.Loc, c.Srv = root, defaults }); err != nil {
		return err
	}
	return c.endHTTP(root, defaults)
}

// endHTTP merges all levels and builds what requests look things up in.
func (c *Compiler) endHTTP(root *Location, defaults *Server) error {
	eachSlot(c.modules, slotMain, func(i int, s ConfSlot) { s.inherit(c.Cycle.confs[i], s.fresh(), false) })
	if err := root.merge(c, c.NewLevel(Location{})); err != nil {
		return err
	}
	defaults.merge(c.modules, c.NewServer())
	for _, s := range c.Cycle.servers {
		s.merge(c.modules, defaults)
		if s.LargeHeaders.V.Size < s.connectionPool.V {
			return fmt.Errorf("the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"")
		}
		if err := c.mergeTree(s.Loc, root); err != nil {
			return err
		}
		for _, l := range s.named {
			if err := c.mergeTree(l, s.Loc); err != nil {
				return err
			}
		}
		s.Loc.buildTree()
	}
	for _, l := range c.Cycle.Listens {
		for _, s := range l.servers {
			l.names.add(c, l.Addr, s)
		}
		l.names.sort()
	}
	return nil
}

// mergeTree merges l with the level around it, then the levels below it.
func (c *Compiler) mergeTree(l, outer *Location) error {
	if err := l.merge(c, outer); err != nil {
		return err
	}
	for _, child := range l.children {
		if err := c.mergeTree(child, l); err != nil {
			return err
		}
	}
	for _, inner := range l.Ifs {
		if err := inner.merge(c, l); err != nil {
			return err
		}
	}
	return nil
}

// finish checks what only the whole configuration tells.
func (c *Compiler) finish() error {
	for _, f := range c.AfterMerge {
		if err := f(); err != nil {
			return err
		}
	}
	if err := c.settleVariables(); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if err := c.checkZones(); err != nil {
		return err
	}
	m := &c.Cycle.Main
	m.Daemon.Merge(Opt[bool]{}, true)
	m.MasterProcess.Merge(Opt[bool]{}, true)
	m.WorkerProcesses.Merge(Opt[int]{}, 1)
	m.Connections.Merge(Opt[int]{}, 512)
	if n := len(c.Cycle.Listens); m.Connections.V <= n {
		return &conf.Error{Msg: fmt.Sprintf("%d worker_connections are not enough for %d listening sockets", m.Connections.V, n)}
	}
	if m.errorLog.V != nil {
		c.Cycle.Log = m.errorLog.V
	}
	for _, m := range c.modules {
		if m.Finish != nil {
			if err := m.Finish(c); err != nil {
				return err
			}
		}
	}
	return nil
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
	if strings.Contains(path, "$document_root") || strings.Contains(path, "${document_root}") {
		return fmt.Errorf("the $document_root variable cannot be used in the \"%s\" directive", d.Name)
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

// setTypes reads a types{} block: a type and the extensions it is for.
func setTypes(c *Compiler, d *conf.Directive) error {
	if c.Loc.types == nil {
		c.Loc.types = map[string]string{}
	}
	for _, line := range d.Block {
		if line.Err != nil {
			return line.Err
		}
		for _, ext := range line.Args {
			c.Loc.types[ngxtext.Lower(ext)] = line.Name
		}
	}
	return nil
}

// defaultTypes are the types of a configuration without a types block.
var defaultTypes = map[string]string{"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}

// setErrorPage reads error_page CODE... [=[STATUS]] TARGET.
func setErrorPage(c *Compiler, d *conf.Directive) error {
	args := d.Args
	target := args[len(args)-1]
	codes := args[:len(args)-1]
	status := keepStatus
	if last := codes[len(codes)-1]; strings.HasPrefix(last, "=") {
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
	if len(codes) == 0 {
		return fmt.Errorf("invalid number of arguments in \"error_page\" directive")
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
	var set Browsers
	for _, arg := range d.Args {
		bit, ok := map[string]Browsers{"none": 0, "msie6": BrowserMSIE6, "safari": BrowserSafari}[ngxtext.Lower(arg)]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
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

// setConnections reads worker_connections, whose complaint has a form of its own.
func setConnections(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.Connections
	if f.Set {
		return ErrDuplicate
	}
	n, ok := ngxtext.ParseDecimal(d.Args[0])
	if !ok {
		return fmt.Errorf("invalid number \"%s\"", d.Args[0])
	}
	return f.Put(int(n))
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

// merge inherits what l does not say from the level around it, and builds what
// depends on several directives.
func (l *Location) merge(c *Compiler, outer *Location) error {
	mergeSlots(c.modules, slotLocation, l.confs, outer.confs, l.Kind == MatchIf)
	l.coreConf.merge(&outer.coreConf)
	l.bodyConf.merge(&outer.bodyConf)
	if l.Kind == MatchIf {
		l.internal = outer.internal
	}
	return c.buildStages(l)
}

func (l *coreConf) merge(outer *coreConf) {
	if !l.root.Set {
		l.Alias = outer.Alias
	}
	l.root.Merge(outer.root, Template{Lit: "html"})
	l.SatisfyAny.Merge(outer.SatisfyAny, SatisfyAll)
	l.defaultType.Merge(outer.defaultType, "text/plain")
	if l.types == nil {
		if l.types = outer.types; l.types == nil {
			l.types = defaultTypes
		}
	}
	if l.ErrorPages == nil {
		l.ErrorPages = outer.ErrorPages
	}
	l.KeepaliveTimeout.Merge(outer.KeepaliveTimeout, 75*time.Second)
	l.keepaliveHeader.Merge(outer.keepaliveHeader, 0)
	l.KeepaliveRequests.Merge(outer.KeepaliveRequests, 1000)
	l.KeepaliveTime.Merge(outer.KeepaliveTime, time.Hour)
	l.keepaliveDisable.Merge(outer.keepaliveDisable, BrowserMSIE6)
	l.msiePadding.Merge(outer.msiePadding, true)
	l.msieRefresh.Merge(outer.msieRefresh, false)
	l.outputBuffers.Merge(outer.outputBuffers, Buffers{2, 32 << 10})
	l.SendTimeout.Merge(outer.SendTimeout, time.Minute)
	l.LingeringClose.Merge(outer.LingeringClose, 1)
	l.LingeringTime.Merge(outer.LingeringTime, 30*time.Second)
	l.LingeringTimeout.Merge(outer.LingeringTimeout, 5*time.Second)
	l.ResetTimedout.Merge(outer.ResetTimedout, false)
	l.TCPNodelay.Merge(outer.TCPNodelay, true)
	l.postponeOutput.Merge(outer.postponeOutput, 1460)
	l.limitRate.Merge(outer.limitRate, noRate)
	l.limitRateAfter.Merge(outer.limitRateAfter, noRate)
	l.Resolver.Merge(outer.Resolver, nil)
	l.ResolverTimeout.Merge(outer.ResolverTimeout, 30*time.Second)
	l.logSubrequest.Merge(outer.logSubrequest, false)
	l.LogNotFound.Merge(outer.LogNotFound, true)
	l.IfModifiedSince.Merge(outer.IfModifiedSince, 1)
	l.symlinks.Merge(outer.symlinks, symlinkRule{})
	l.etag.Merge(outer.etag, true)
	l.ServerTokens.Merge(outer.ServerTokens, 1)
	l.chunkedEncoding.Merge(outer.chunkedEncoding, true)
	l.portInRedirect.Merge(outer.portInRedirect, true)
	l.nameInRedirect.Merge(outer.nameInRedirect, false)
	l.AbsoluteRedirect.Merge(outer.AbsoluteRedirect, true)
	l.recursiveErrors.Merge(outer.recursiveErrors, false)
	l.RewriteLog.Merge(outer.RewriteLog, false)
	l.UninitializedWarn.Merge(outer.UninitializedWarn, true)
	l.MaxRanges.Merge(outer.MaxRanges, 1<<31-1)
	l.subrequestBuffer.Merge(outer.subrequestBuffer, 4096)
	l.ErrorLog.Merge(outer.ErrorLog, nil)
}

func (b *bodyConf) merge(outer *bodyConf) {
	b.MaxBodySize.Merge(outer.MaxBodySize, 1<<20)
	b.BodyBufferSize.Merge(outer.BodyBufferSize, 16<<10)
	b.BodyTimeout.Merge(outer.BodyTimeout, time.Minute)
	b.bodyInFile.Merge(outer.bodyInFile, bodyInFileOff)
	b.bodyOneBuffer.Merge(outer.bodyOneBuffer, false)
	b.bodyTempPath.Merge(outer.bodyTempPath, "")
}

// SetContentType gives the response the type of the URI's extension
// (ngx_http_set_content_type).
func (r *Request) SetContentType() {
	if r.Out.ContentType != "" {
		return
	}
	l := r.Loc
	for i := len(r.URI) - 1; i > 0 && r.URI[i] != '/'; i-- {
		if r.URI[i] == '.' {
			if t, ok := l.types[ngxtext.Lower(r.URI[i+1:])]; ok {
				r.Out.ContentType = t
				return
			}
			break
		}
	}
	r.Out.ContentType = l.defaultType.V
}
