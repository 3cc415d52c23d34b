package phases

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// setTemplate stores a text with variables.
func setTemplate(field func(c *compiler) *opt[template]) setter {
	return func(c *compiler, d *conf.Directive) error {
		t, err := c.template(d.Args[0])
		if err != nil {
			return err
		}
		return field(c).put(t)
	}
}

func setWorkerProcesses(c *compiler, d *conf.Directive) error {
	f := &c.cycle.Main.WorkerProcesses
	if f.set {
		return errDuplicate
	}
	if d.Args[0] == "auto" {
		return f.put(runtime.GOMAXPROCS(0))
	}
	n, ok := parseDecimal(d.Args[0])
	if !ok {
		return directiveError("invalid value")
	}
	return f.put(int(n))
}

func setEnv(c *compiler, d *conf.Directive) error {
	c.cycle.Main.Env = append(c.cycle.Main.Env, d.Args[0])
	return nil
}

func setEvents(c *compiler, d *conf.Directive) error { return c.within(inEvents, d, nil) }

func setHTTP(c *compiler, d *conf.Directive) error {
	if c.http {
		return errDuplicate
	}
	c.http = true
	root := c.newLevel(Location{kind: matchServer})
	defaults := c.newServer()
	c.cycle.http = root
	if err := c.within(inHTTP, d, func() { c.loc, c.srv = root, defaults }); err != nil {
		return err
	}
	return c.endHTTP(root, defaults)
}

// endHTTP merges all levels and builds what requests look things up in.
func (c *compiler) endHTTP(root *Location, defaults *Server) error {
	eachSlot(c.modules, slotMain, func(i int, s confSlot) { s.inherit(c.cycle.confs[i], s.fresh(), false) })
	if err := root.merge(c, c.newLevel(Location{})); err != nil {
		return err
	}
	defaults.merge(c.modules, c.newServer())
	for _, s := range c.cycle.Servers {
		s.merge(c.modules, defaults)
		if s.largeHeaders.v.size < s.connectionPool.v {
			return fmt.Errorf("the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"")
		}
		if err := c.mergeTree(s.loc, root); err != nil {
			return err
		}
		for _, l := range s.named {
			if err := c.mergeTree(l, s.loc); err != nil {
				return err
			}
		}
		s.loc.buildTree()
	}
	for _, l := range c.cycle.Listens {
		for _, s := range l.servers {
			l.names.add(c, l.Addr, s)
		}
		l.names.sort()
	}
	return nil
}

// mergeTree merges l with the level around it, then the levels below it.
func (c *compiler) mergeTree(l, outer *Location) error {
	if err := l.merge(c, outer); err != nil {
		return err
	}
	for _, child := range l.children {
		if err := c.mergeTree(child, l); err != nil {
			return err
		}
	}
	for _, inner := range l.ifs {
		if err := inner.merge(c, l); err != nil {
			return err
		}
	}
	return nil
}

// finish checks what only the whole configuration tells.
func (c *compiler) finish() error {
	for _, f := range c.afterMerge {
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
	m := &c.cycle.Main
	m.Daemon.merge(opt[bool]{}, true)
	m.MasterProcess.merge(opt[bool]{}, true)
	m.WorkerProcesses.merge(opt[int]{}, 1)
	m.Connections.merge(opt[int]{}, 512)
	if n := len(c.cycle.Listens); m.Connections.v <= n {
		return &conf.Error{Msg: fmt.Sprintf("%d worker_connections are not enough for %d listening sockets", m.Connections.v, n)}
	}
	if m.errorLog.v != nil {
		c.cycle.Log = m.errorLog.v
	}
	for _, m := range c.modules {
		if m.finish != nil {
			if err := m.finish(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func setRoot(c *compiler, d *conf.Directive) error {
	l := c.loc
	alias := d.Name == "alias"
	if l.rootWritten {
		if (l.alias != 0) == alias {
			return errDuplicate
		}
		other := "root"
		if l.alias != 0 {
			other = "alias"
		}
		return fmt.Errorf("\"%s\" directive is duplicate, \"%s\" directive was specified earlier", d.Name, other)
	}
	if alias && l.kind == matchNamed {
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
	case l.kind == matchRegex:
		l.alias = aliasWhole
	default:
		l.alias = len(l.name)
	}
	if !hasVariables(path) {
		path = c.fullPath(path)
	}
	t, err := c.template(path)
	l.root = opt[template]{v: t, set: true}
	return err
}

func setInternal(c *compiler, _ *conf.Directive) error {
	c.loc.internal = true
	return nil
}

// setTypes reads a types{} block: a type and the extensions it is for.
func setTypes(c *compiler, d *conf.Directive) error {
	if c.loc.types == nil {
		c.loc.types = map[string]string{}
	}
	for _, line := range d.Block {
		if line.Err != nil {
			return line.Err
		}
		for _, ext := range line.Args {
			c.loc.types[lowerString(ext)] = line.Name
		}
	}
	return nil
}

// defaultTypes are the types of a configuration without a types block.
var defaultTypes = map[string]string{"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}

// setErrorPage reads error_page CODE... [=[STATUS]] TARGET.
func setErrorPage(c *compiler, d *conf.Directive) error {
	args := d.Args
	target := args[len(args)-1]
	codes := args[:len(args)-1]
	status := keepStatus
	if last := codes[len(codes)-1]; strings.HasPrefix(last, "=") {
		if last == "=" {
			status = handlerStatus
		} else {
			n, ok := parseDecimal(last[1:])
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
	t, err := c.template(target)
	if err != nil {
		return err
	}
	for _, word := range codes {
		code, ok := parseDecimal(word)
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
		c.loc.errorPages = append(c.loc.errorPages, errorPage{code: int(code), status: own, target: t})
	}
	return nil
}

func setKeepalive(c *compiler, d *conf.Directive) error {
	if c.loc.keepaliveTimeout.set {
		return errDuplicate
	}
	t, ok := parseTime(d.Args[0])
	if !ok {
		return errInvalidValue
	}
	c.loc.keepaliveTimeout = opt[time.Duration]{t, true}
	var header time.Duration
	if len(d.Args) == 2 {
		if header, ok = parseSeconds(d.Args[1]); !ok {
			return errInvalidValue
		}
	}
	c.loc.keepaliveHeader = opt[time.Duration]{header, true}
	return nil
}

// setKeepaliveDisable reads keepalive_disable none, msie6 or safari.
func setKeepaliveDisable(c *compiler, d *conf.Directive) error {
	f := &c.loc.keepaliveDisable
	if f.set {
		return errDuplicate
	}
	var set browsers
	for _, arg := range d.Args {
		bit, ok := map[string]browsers{"none": 0, "msie6": browserMSIE6, "safari": browserSafari}[lowerString(arg)]
		if !ok {
			return fmt.Errorf("invalid value \"%s\"", arg)
		}
		set |= bit
	}
	return f.put(set)
}

func setBodyTempPath(c *compiler, d *conf.Directive) error {
	if err := c.loc.bodyTempPath.put(c.fullPath(d.Args[0])); err != nil {
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
		n, ok := parseDecimal(level)
		if !ok || n == 0 || n > maxPathLevels-sum {
			return errInvalidValue
		}
		sum += n
	}
	return nil
}

// setConnections reads worker_connections, whose complaint has a form of its own.
func setConnections(c *compiler, d *conf.Directive) error {
	f := &c.cycle.Main.Connections
	if f.set {
		return errDuplicate
	}
	n, ok := parseDecimal(d.Args[0])
	if !ok {
		return fmt.Errorf("invalid number \"%s\"", d.Args[0])
	}
	return f.put(int(n))
}

// merge inherits what s does not say from the http level.
func (s *Server) merge(modules []*Module, outer *Server) {
	mergeSlots(modules, slotServer, s.confs, outer.confs, false)
	s.headerBufferSize.merge(outer.headerBufferSize, 1024)
	s.largeHeaders.merge(outer.largeHeaders, buffers{4, 8 << 10})
	s.connectionPool.merge(outer.connectionPool, 512)
	s.headerTimeout.merge(outer.headerTimeout, time.Minute)
	s.maxHeaders.merge(outer.maxHeaders, 1000)
	s.ignoreInvalid.merge(outer.ignoreInvalid, true)
	s.underscores.merge(outer.underscores, false)
	s.mergeSlashes.merge(outer.mergeSlashes, true)
}

// merge inherits what l does not say from the level around it, and builds what
// depends on several directives.
func (l *Location) merge(c *compiler, outer *Location) error {
	mergeSlots(c.modules, slotLocation, l.confs, outer.confs, l.kind == matchIf)
	l.coreConf.merge(&outer.coreConf)
	l.bodyConf.merge(&outer.bodyConf)
	if l.kind == matchIf {
		l.internal = outer.internal
	}
	return c.buildStages(l)
}

func (l *coreConf) merge(outer *coreConf) {
	if !l.root.set {
		l.alias = outer.alias
	}
	l.root.merge(outer.root, template{lit: "html"})
	l.satisfyAny.merge(outer.satisfyAny, satisfyAll)
	l.defaultType.merge(outer.defaultType, "text/plain")
	if l.types == nil {
		if l.types = outer.types; l.types == nil {
			l.types = defaultTypes
		}
	}
	if l.errorPages == nil {
		l.errorPages = outer.errorPages
	}
	l.keepaliveTimeout.merge(outer.keepaliveTimeout, 75*time.Second)
	l.keepaliveHeader.merge(outer.keepaliveHeader, 0)
	l.keepaliveRequests.merge(outer.keepaliveRequests, 1000)
	l.keepaliveTime.merge(outer.keepaliveTime, time.Hour)
	l.keepaliveDisable.merge(outer.keepaliveDisable, browserMSIE6)
	l.msiePadding.merge(outer.msiePadding, true)
	l.msieRefresh.merge(outer.msieRefresh, false)
	l.outputBuffers.merge(outer.outputBuffers, buffers{2, 32 << 10})
	l.sendTimeout.merge(outer.sendTimeout, time.Minute)
	l.lingeringClose.merge(outer.lingeringClose, 1)
	l.lingeringTime.merge(outer.lingeringTime, 30*time.Second)
	l.lingeringTimeout.merge(outer.lingeringTimeout, 5*time.Second)
	l.resetTimedout.merge(outer.resetTimedout, false)
	l.tcpNodelay.merge(outer.tcpNodelay, true)
	l.postponeOutput.merge(outer.postponeOutput, 1460)
	l.limitRate.merge(outer.limitRate, noRate)
	l.limitRateAfter.merge(outer.limitRateAfter, noRate)
	l.resolver.merge(outer.resolver, nil)
	l.resolverTimeout.merge(outer.resolverTimeout, 30*time.Second)
	l.logSubrequest.merge(outer.logSubrequest, false)
	l.logNotFound.merge(outer.logNotFound, true)
	l.ifModifiedSince.merge(outer.ifModifiedSince, 1)
	l.symlinks.merge(outer.symlinks, symlinkRule{})
	l.etag.merge(outer.etag, true)
	l.serverTokens.merge(outer.serverTokens, 1)
	l.chunkedEncoding.merge(outer.chunkedEncoding, true)
	l.portInRedirect.merge(outer.portInRedirect, true)
	l.nameInRedirect.merge(outer.nameInRedirect, false)
	l.absoluteRedirect.merge(outer.absoluteRedirect, true)
	l.recursiveErrors.merge(outer.recursiveErrors, false)
	l.rewriteLog.merge(outer.rewriteLog, false)
	l.uninitializedWarn.merge(outer.uninitializedWarn, true)
	l.maxRanges.merge(outer.maxRanges, 1<<31-1)
	l.subrequestBuffer.merge(outer.subrequestBuffer, 4096)
	l.errorLog.merge(outer.errorLog, nil)
}

func (b *bodyConf) merge(outer *bodyConf) {
	b.maxBodySize.merge(outer.maxBodySize, 1<<20)
	b.bodyBufferSize.merge(outer.bodyBufferSize, 16<<10)
	b.bodyTimeout.merge(outer.bodyTimeout, time.Minute)
	b.bodyInFile.merge(outer.bodyInFile, bodyInFileOff)
	b.bodyOneBuffer.merge(outer.bodyOneBuffer, false)
	b.bodyTempPath.merge(outer.bodyTempPath, "")
}

// setContentType gives the response the type of the URI's extension
// (ngx_http_set_content_type).
func (r *Request) setContentType() {
	if r.Out.ContentType != "" {
		return
	}
	l := r.Loc
	for i := len(r.URI) - 1; i > 0 && r.URI[i] != '/'; i-- {
		if r.URI[i] == '.' {
			if t, ok := l.types[lowerString(r.URI[i+1:])]; ok {
				r.Out.ContentType = t
				return
			}
			break
		}
	}
	r.Out.ContentType = l.defaultType.v
}
