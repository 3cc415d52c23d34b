package core

import (
	"sort"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/listening"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/resolver"
)

// MatchKind is how a location's name is compared with the URI.
type MatchKind uint8

const (
	MatchPrefix  MatchKind = iota
	MatchExact             // = /x
	MatchNoRegex           // ^~ /x
	MatchRegex             // ~ and ~*
	MatchNamed             // @x
	MatchIf                // an if block: never searched for
	MatchServer            // the server's (or http's) own level
)

// Location is the merged configuration of one place: a location{} block, an
// `if` block in one, or the server or http level itself. Values that a block
// does not give come from the block around it (merge).
type Location struct {
	Kind   MatchKind
	Name   string
	regex  *Regex
	Outer  *Location
	Server *Server

	tree     locationTree
	children []*Location // in file order, until the tree is built
	Ifs      []*Location
	limited  *methodLimit // limit_except, nil without
	Script   []ScriptOp

	// Handler makes the content; nil means index, static and the like.
	// It is not inherited, except by an `if` block.
	Handler      Handler
	AutoRedirect bool // /x is sent on to /x/ as the handler is a proxy

	confs []any // configuration of modules, by LocSlot
	stages

	coreConf
	bodyConf
	gzipConf
}

// coreConf is what ngx_http_core_module keeps for a location.
type coreConf struct {
	root        Opt[Template]
	Alias       int // 0: root; else the length of what the alias stands for in the URI, or aliasWhole
	rootWritten bool
	internal    bool
	Satisfy     Opt[int]
	authDelay   Opt[time.Duration] // before a 401 goes out
	defaultType Opt[string]
	types       map[string]string
	ErrorPages  []ErrorPage

	KeepaliveTimeout  Opt[time.Duration]
	KeepaliveMin      Opt[time.Duration] // a kept connection is not closed before
	keepaliveHeader   Opt[time.Duration]
	KeepaliveRequests Opt[int]
	KeepaliveTime     Opt[time.Duration]
	keepaliveDisable  Opt[ngxtext.Browsers]
	msiePadding       Opt[bool]
	msieRefresh       Opt[bool]
	outputBuffers     Opt[Buffers] // the pieces in which files go through filters; their number does not count
	SendTimeout       Opt[time.Duration]
	LingeringClose    Opt[int] // off, on, always
	LingeringTime     Opt[time.Duration]
	LingeringTimeout  Opt[time.Duration]
	ResetTimedout     Opt[bool]
	TCPNodelay        Opt[bool]
	postponeOutput    Opt[int64]
	limitRate         Opt[Template]
	limitRateAfter    Opt[Template]
	Resolver          Opt[*resolver.Resolver]
	ResolverTimeout   Opt[time.Duration]
	logSubrequest     Opt[bool]
	postAction        Opt[string] // where a request goes on that has been answered, "" for nowhere
	LogNotFound       Opt[bool]
	IfModifiedSince   Opt[int] // off, exact, before
	etag              Opt[bool]
	symlinks          Opt[symlinkRule]
	serverTokens      Opt[int] // off, on, build
	ServerName        string   // what the Server header and error pages say
	chunkedEncoding   Opt[bool]
	portInRedirect    Opt[bool]
	nameInRedirect    Opt[bool]
	AbsoluteRedirect  Opt[bool]
	recursiveErrors   Opt[bool]
	MaxRanges         Opt[int]
	subrequestBuffer  Opt[int64]
	RewriteLog        Opt[bool]
	UninitializedWarn Opt[bool]

	ErrorLog Opt[errlog.Logger]
}

// bodyConf says how the client's body is read.
type bodyConf struct {
	MaxBodySize    Opt[int64]
	BodyBufferSize Opt[int64]
	BodyTimeout    Opt[time.Duration]
	bodyInFile     Opt[int] // off, on, clean
	bodyOneBuffer  Opt[bool]
	bodyTempPath   Opt[string]
}

// AnyRanges is max_ranges where it is not set.
const AnyRanges = 1<<31 - 1

// Listen is one address the server listens on, with its servers.
type Listen struct {
	Addr     string // "127.0.0.1:80", "unix:/path"
	TLS      bool
	HTTP2    bool
	Proxy    bool // PROXY protocol
	Default  *Server
	explicit bool // Default was written as default_server
	Socket   listening.Options
	// socketSet: a listen directive has said what socket is.
	socketSet bool
	servers   []*Server
	names     serverNames
}

// Server is one server{} block.
type Server struct {
	// Name is the first server_name, what $server_name gives.
	Name  string
	names []serverName
	Loc   *Location       // configuration of the server level
	Block *conf.Directive // where it is written
	named map[string]*Location

	confs            []any // configuration of modules, by ServerSlot
	HeaderBufferSize Opt[int64]
	LargeHeaders     Opt[Buffers]
	connectionPool   Opt[int64] // bytes; nothing but a bound of LargeHeaders
	HeaderTimeout    Opt[time.Duration]
	MaxHeaders       Opt[int]
	IgnoreInvalid    Opt[bool]
	Underscores      Opt[bool]
	MergeSlashes     Opt[bool]
	listens          int
}

// locationTree finds the location of a URI without allocating: exact names by
// map, prefixes by binary search in a sorted list whose entries know the next
// shorter prefix, regexes in file order.
type locationTree struct {
	exact    map[string]*Location
	prefixes []prefixEntry
	regexes  []*Location
	proxied  bool // some location sends /x on to /x/
}

// prefixEntry is a prefix location; up is the index of the longest other entry
// that is a prefix of this one, -1 without.
type prefixEntry struct {
	name string
	loc  *Location
	up   int
}

// buildTree sorts l's children into its tree, and theirs.
func (l *Location) buildTree() {
	t := &l.tree
	for _, child := range l.children {
		switch child.Kind {
		case MatchExact:
			if t.exact == nil {
				t.exact = make(map[string]*Location)
			}
			t.exact[child.Name] = child
			t.proxied = t.proxied || child.AutoRedirect
		case MatchRegex:
			t.regexes = append(t.regexes, child)
		case MatchPrefix, MatchNoRegex:
			t.prefixes = append(t.prefixes, prefixEntry{name: child.Name, loc: child, up: -1})
			t.proxied = t.proxied || child.AutoRedirect
		}
		child.buildTree()
	}
	sort.Slice(t.prefixes, func(i, j int) bool { return t.prefixes[i].name < t.prefixes[j].name })
	for i := range t.prefixes {
		up := i - 1
		for up >= 0 && !strings.HasPrefix(t.prefixes[i].name, t.prefixes[up].name) {
			up = t.prefixes[up].up
		}
		t.prefixes[i].up = up
	}
}

// prefix finds the longest prefix of uri. All prefixes of uri sort before or
// at it, and the greatest name not after uri has each of them in its up chain.
func (t *locationTree) prefix(uri string) *Location {
	lo, hi := 0, len(t.prefixes)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if t.prefixes[mid].name <= uri {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for i := lo - 1; i >= 0; i = t.prefixes[i].up {
		if strings.HasPrefix(uri, t.prefixes[i].name) {
			return t.prefixes[i].loc
		}
	}
	return nil
}

// search results
const (
	foundNone     = iota // stay where we are
	foundExact           // search is over
	foundPrefix          // regexes were tried, none matched
	foundRegex           // search is over
	foundRedirect        // /x asked for, only /x/ exists and it is a proxy
	foundError           // a regex could not be tried to its end
)

// findLocation moves r.Loc to the location of r.URI inside the tree of r.Loc
// (ngx_http_core_find_location).
func (r *Request) findLocation() int {
	l := r.Loc
	t := &l.tree
	found, noRegex := foundNone, false
	if exact, ok := t.exact[r.URI]; ok {
		r.Loc = exact
		return foundExact
	}
	if p := t.prefix(r.URI); p != nil {
		r.Loc = p
		found = foundPrefix
		noRegex = p.Kind == MatchNoRegex
	}
	if to := t.redirects(r.URI, r.Loc, l); to != nil {
		r.Loc = to
		return foundRedirect
	}
	if found == foundPrefix {
		switch inner := r.findLocation(); inner {
		case foundExact, foundRegex, foundRedirect, foundError:
			return inner
		}
	}
	if noRegex {
		return found
	}
	for _, re := range t.regexes {
		switch re.regex.Exec(r, r.URI) {
		case Error:
			return foundError
		case OK:
			r.Loc = re
			if r.findLocation() == foundError {
				return foundError
			}
			return foundRegex
		}
	}
	return found
}

// redirects finds the proxied location that is uri with a slash behind it, nil
// when there is none or uri has a location of its own.
func (t *locationTree) redirects(uri string, found, outer *Location) *Location {
	if !t.proxied || strings.HasSuffix(uri, "/") || found != outer && found.Name == uri {
		return nil
	}
	name := uri + "/"
	if l := t.exact[name]; l != nil && l.AutoRedirect {
		return l
	}
	i := sort.Search(len(t.prefixes), func(i int) bool { return t.prefixes[i].name >= name })
	if i < len(t.prefixes) && t.prefixes[i].name == name && t.prefixes[i].loc.AutoRedirect {
		return t.prefixes[i].loc
	}
	return nil
}

// merge inherits what l does not say from the level around it, and builds what
// depends on several directives.
func (l *Location) merge(c *Compiler, outer *Location) error {
	mergeSlots(c.modules, slotLocation, l.confs, outer.confs, l.Kind == MatchIf)
	l.coreConf.merge(&outer.coreConf)
	l.ServerName = c.Cycle.Stack.Product
	if l.serverTokens.V == 0 {
		l.ServerName = c.Cycle.Stack.Name()
	}
	l.bodyConf.merge(&outer.bodyConf)
	l.gzipConf.merge(&outer.gzipConf)
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
	l.Satisfy.Merge(outer.Satisfy, SatisfyAll)
	l.authDelay.Merge(outer.authDelay, 0)
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
	l.KeepaliveMin.Merge(outer.KeepaliveMin, 0)
	l.keepaliveHeader.Merge(outer.keepaliveHeader, 0)
	l.KeepaliveRequests.Merge(outer.KeepaliveRequests, 1000)
	l.KeepaliveTime.Merge(outer.KeepaliveTime, time.Hour)
	l.keepaliveDisable.Merge(outer.keepaliveDisable, ngxtext.BrowserMSIE6)
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
	l.postAction.Merge(outer.postAction, "")
	l.LogNotFound.Merge(outer.LogNotFound, true)
	l.IfModifiedSince.Merge(outer.IfModifiedSince, 1)
	l.symlinks.Merge(outer.symlinks, symlinkRule{})
	l.etag.Merge(outer.etag, true)
	l.serverTokens.Merge(outer.serverTokens, 1)
	l.chunkedEncoding.Merge(outer.chunkedEncoding, true)
	l.portInRedirect.Merge(outer.portInRedirect, true)
	l.nameInRedirect.Merge(outer.nameInRedirect, false)
	l.AbsoluteRedirect.Merge(outer.AbsoluteRedirect, true)
	l.recursiveErrors.Merge(outer.recursiveErrors, false)
	l.RewriteLog.Merge(outer.RewriteLog, false)
	l.UninitializedWarn.Merge(outer.UninitializedWarn, true)
	l.MaxRanges.Merge(outer.MaxRanges, AnyRanges)
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
