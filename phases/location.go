package phases

import (
	"sort"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// matchKind is how a location's name is compared with the URI.
type matchKind uint8

const (
	matchPrefix  matchKind = iota
	matchExact             // = /x
	matchNoRegex           // ^~ /x
	matchRegex             // ~ and ~*
	matchNamed             // @x
	matchIf                // an if block: never searched for
	matchServer            // the server's (or http's) own level
)

// Location is the merged configuration of one place: a location{} block, an
// `if` block in one, or the server or http level itself. Values that a block
// does not give come from the block around it (merge).
type Location struct {
	kind   matchKind
	name   string
	regex  *confRegex
	outer  *Location
	server *Server

	tree     locationTree
	children []*Location // in file order, until the tree is built
	ifs      []*Location
	limited  *methodLimit // limit_except, nil without
	script   []scriptOp

	// handler makes the content; nil means index, static and the like.
	// It is not inherited, except by an `if` block.
	handler      handler
	autoRedirect bool // /x is sent on to /x/ as the handler is a proxy

	confs []any // configuration of modules, by locSlot
	stages

	coreConf
	bodyConf
}

// coreConf is what ngx_http_core_module keeps for a location.
type coreConf struct {
	root        opt[template]
	alias       int // 0: root; else the length of what the alias stands for in the URI, or aliasWhole
	rootWritten bool
	internal    bool
	satisfyAny  opt[int]
	defaultType opt[string]
	types       map[string]string
	errorPages  []errorPage

	keepaliveTimeout  opt[time.Duration]
	keepaliveHeader   opt[time.Duration]
	keepaliveRequests opt[int]
	keepaliveTime     opt[time.Duration]
	keepaliveDisable  opt[browsers]
	msiePadding       opt[bool]
	msieRefresh       opt[bool]
	outputBuffers     opt[buffers] // the pieces in which files go through filters; their number does not count
	sendTimeout       opt[time.Duration]
	lingeringClose    opt[int] // off, on, always
	lingeringTime     opt[time.Duration]
	lingeringTimeout  opt[time.Duration]
	resetTimedout     opt[bool]
	tcpNodelay        opt[bool]
	postponeOutput    opt[int64]
	limitRate         opt[template]
	limitRateAfter    opt[template]
	resolver          opt[*resolverConf]
	resolverTimeout   opt[time.Duration]
	logSubrequest     opt[bool]
	logNotFound       opt[bool]
	ifModifiedSince   opt[int] // off, exact, before
	etag              opt[bool]
	symlinks          opt[symlinkRule]
	serverTokens      opt[int] // off, on, build
	chunkedEncoding   opt[bool]
	portInRedirect    opt[bool]
	nameInRedirect    opt[bool]
	absoluteRedirect  opt[bool]
	recursiveErrors   opt[bool]
	maxRanges         opt[int]
	subrequestBuffer  opt[int64]
	rewriteLog        opt[bool]
	uninitializedWarn opt[bool]

	errorLog opt[errlog.Logger]
}

// bodyConf says how the client's body is read.
type bodyConf struct {
	maxBodySize    opt[int64]
	bodyBufferSize opt[int64]
	bodyTimeout    opt[time.Duration]
	bodyInFile     opt[int] // off, on, clean
	bodyOneBuffer  opt[bool]
	bodyTempPath   opt[string]
}

// Listen is one address the server listens on, with its servers.
type Listen struct {
	Addr     string // "127.0.0.1:80", "unix:/path"
	TLS      bool
	HTTP2    bool
	Proxy    bool // PROXY protocol
	Default  *Server
	explicit bool // Default was written as default_server
	socket   socketOptions
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
	loc   *Location // configuration of the server level
	named map[string]*Location

	confs            []any // configuration of modules, by serverSlot
	headerBufferSize opt[int64]
	largeHeaders     opt[buffers]
	connectionPool   opt[int64] // bytes; nothing but a bound of largeHeaders
	headerTimeout    opt[time.Duration]
	maxHeaders       opt[int]
	ignoreInvalid    opt[bool]
	underscores      opt[bool]
	mergeSlashes     opt[bool]
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
		switch child.kind {
		case matchExact:
			if t.exact == nil {
				t.exact = make(map[string]*Location)
			}
			t.exact[child.name] = child
			t.proxied = t.proxied || child.autoRedirect
		case matchRegex:
			t.regexes = append(t.regexes, child)
		case matchPrefix, matchNoRegex:
			t.prefixes = append(t.prefixes, prefixEntry{name: child.name, loc: child, up: -1})
			t.proxied = t.proxied || child.autoRedirect
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
		noRegex = p.kind == matchNoRegex
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
		switch re.regex.exec(r, r.URI) {
		case rcError:
			return foundError
		case rcOK:
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
	if !t.proxied || strings.HasSuffix(uri, "/") || found != outer && found.name == uri {
		return nil
	}
	name := uri + "/"
	if l := t.exact[name]; l != nil && l.autoRedirect {
		return l
	}
	i := sort.Search(len(t.prefixes), func(i int) bool { return t.prefixes[i].name >= name })
	if i < len(t.prefixes) && t.prefixes[i].name == name && t.prefixes[i].loc.autoRedirect {
		return t.prefixes[i].loc
	}
	return nil
}
