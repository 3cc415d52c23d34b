package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// gzipConf says which clients may be sent gzip: the core's, as several modules ask
// (gzip, gzip_static, gunzip).
type gzipConf struct {
	GzipVary     Opt[bool]
	gzipVersion  Opt[int] // 0: HTTP/1.0, 1: HTTP/1.1
	gzipProxied  Opt[gzipProxied]
	gzipDisable  []*Regex // user agents that get no gzip
	gzipNotMSIE6 bool     // gzip_disable msie6
}

func (g *gzipConf) merge(outer *gzipConf) {
	g.GzipVary.Merge(outer.GzipVary, false)
	g.gzipVersion.Merge(outer.gzipVersion, 1)
	g.gzipProxied.Merge(outer.gzipProxied, gzipProxiedOff)
	if g.gzipDisable == nil && !g.gzipNotMSIE6 {
		g.gzipDisable, g.gzipNotMSIE6 = outer.gzipDisable, outer.gzipNotMSIE6
	}
}

func gzipDirectives() []Directive {
	return []Directive{
		{"gzip_vary", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.GzipVary }))},
		{"gzip_http_version", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.gzipVersion }), "1.0", "1.1")},
		{"gzip_proxied", InHTTPSrvLoc, TakeMore1, setGzipProxied},
		{"gzip_disable", InHTTPSrvLoc, TakeMore1, setGzipDisable},
	}
}

// gzipProxied is the set of requests that came through a proxy, as Via tells,
// whose answers are compressed.
type gzipProxied uint16

const (
	gzipProxiedOff gzipProxied = 1 << iota
	gzipProxiedExpired
	gzipProxiedNoCache
	gzipProxiedNoStore
	gzipProxiedPrivate
	gzipProxiedNoLastModified
	gzipProxiedNoETag
	gzipProxiedAuth
	gzipProxiedAny
)

var gzipProxiedWords = map[string]gzipProxied{
	"off": gzipProxiedOff, "expired": gzipProxiedExpired, "no-cache": gzipProxiedNoCache,
	"no-store": gzipProxiedNoStore, "private": gzipProxiedPrivate, "no_last_modified": gzipProxiedNoLastModified,
	"no_etag": gzipProxiedNoETag, "auth": gzipProxiedAuth, "any": gzipProxiedAny,
}

// setGzipProxied reads gzip_proxied WORD...
func setGzipProxied(c *Compiler, d *conf.Directive) error {
	f := &c.Loc.gzipProxied
	if f.Set {
		return ErrDuplicate
	}
	var set gzipProxied
	for _, arg := range d.Args {
		bit, ok := gzipProxiedWords[ngxtext.Lower(arg)]
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

// setGzipDisable reads gzip_disable REGEX...; the word msie6 stands for itself.
func setGzipDisable(c *Compiler, d *conf.Directive) error {
	g := &c.Loc.gzipConf
	for _, arg := range d.Args {
		if arg == "msie6" {
			g.gzipNotMSIE6 = true
			continue
		}
		re, err := c.Regex(arg, true)
		if err != nil {
			return err
		}
		g.gzipDisable = append(g.gzipDisable, re)
	}
	return nil
}

// AcceptsGzip tells whether the client may be sent gzip. The first answer counts for
// the whole request, be it asked before its headers are made (ngx_http_gzip_ok).
func (r *Request) AcceptsGzip() bool {
	if !r.gzipTested {
		r.gzipTested, r.gzipOK = true, r.acceptsGzip(&r.Loc.gzipConf)
	}
	return r.gzipOK
}

func (r *Request) acceptsGzip(g *gzipConf) bool {
	if r != r.Main || r.HTTPMajor < 1 || g.gzipVersion.V == 1 && r.HTTPMajor == 1 && r.HTTPMinor < 1 {
		return false
	}
	accept, _ := r.In.Get("Accept-Encoding")
	if !ngxtext.AcceptsGzip(accept) {
		return false
	}
	agent, hasAgent := r.In.Get("User-Agent")
	if g.gzipNotMSIE6 && hasAgent && ngxtext.BrowserOf(agent)&ngxtext.BrowserMSIE6 != 0 {
		return false
	}
	if r.In.Has("Via") && !gzipForProxy(r, g.gzipProxied.V) {
		return false
	}
	if hasAgent {
		for _, re := range g.gzipDisable {
			if re.Matches(r, agent) {
				return false
			}
		}
	}
	return true
}

// gzipForProxy judges an answer that goes to a proxy by its headers.
func gzipForProxy(r *Request, p gzipProxied) bool {
	o := &r.Out
	switch {
	case p&gzipProxiedOff != 0:
		return false
	case p&gzipProxiedAny != 0, p&gzipProxiedAuth != 0 && r.In.Has("Authorization"):
		return true
	}
	if expires, ok := o.Headers.Get("Expires"); ok {
		at, ok := ngxtext.ParseHTTPTime(expires)
		now := time.Now().Unix()
		if date, has := o.Headers.Get("Date"); has {
			if now, has = ngxtext.ParseHTTPTime(date); !has {
				return false
			}
		}
		return p&gzipProxiedExpired != 0 && ok && at < now
	}
	if o.Headers.Has("Cache-Control") {
		for bit, word := range map[gzipProxied]string{
			gzipProxiedNoCache: "no-cache", gzipProxiedNoStore: "no-store", gzipProxiedPrivate: "private",
		} {
			if p&bit != 0 && cacheControl(o, word) {
				return true
			}
		}
		return false
	}
	if p&gzipProxiedNoLastModified != 0 && o.Headers.Has("Last-Modified") {
		return false
	}
	return p&gzipProxiedNoETag == 0 || !o.Headers.Has("ETag")
}

// cacheControl looks for a word in the Cache-Control headers.
func cacheControl(o *Response, word string) bool {
	return slices.ContainsFunc(o.Headers, func(h Header) bool {
		return ngxtext.EqualFold(h.Name, "Cache-Control") && ngxtext.HasWord(h.Value, word)
	})
}

// WeakenTag marks the entity tag as weak, as the bytes are no longer those it was
// made for; a text that is no tag is removed (ngx_http_weak_etag).
func (o *Response) WeakenTag() {
	etag, ok := o.Headers.Get("ETag")
	switch {
	case !ok || strings.HasPrefix(etag, "W/"):
	case len(etag) < 2 || etag[0] != '"':
		o.Headers.Del("ETag")
	default:
		o.Headers.SetValue("ETag", "W/"+etag)
	}
}
