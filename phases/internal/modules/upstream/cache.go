package upstream

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/filecache"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// The values of $upstream_cache_status.
const (
	cacheMiss        = "MISS"
	cacheBypass      = "BYPASS"
	cacheExpired     = "EXPIRED"
	cacheStale       = "STALE"
	cacheUpdating    = "UPDATING"
	cacheRevalidated = "REVALIDATED"
	cacheHit         = "HIT"
)

// keyer is a Protocol that names its responses where no cache_key does (create_key).
type keyer interface{ CacheKey() string }

// caching is an exchange's use of a cache (r->cache).
type caching struct {
	look       *filecache.Lookup
	keep       bool // the response is to be kept (u->cacheable)
	background bool // an update in the background is what ends the use
	fresh      freshness
}

// keeps tells whether the response is on its way into the cache.
func (x *Exchange) keeps() bool { return x.cache != nil && x.cache.keep }

// UsesCache tells whether a cache was asked for the response.
func (x *Exchange) UsesCache() bool { return x.cache != nil }

// Cacheable tells a Protocol that the response may be kept: the request must not be made by
// what the client says of what it has itself.
func (x *Exchange) Cacheable() bool { return x.keeps() }

// CachedTag is the ETag of the response in the cache whose time is over, "" where it is not
// to be asked for anew with that (cache_revalidate).
func (x *Exchange) CachedTag() string { tag, _ := x.State.cachedTag(); return tag }

// CachedDate is its Last-Modified likewise.
func (x *Exchange) CachedDate() string { date, _ := x.State.cachedDate(); return date }

// fromCache looks for the response in the cache. answered says that the request has its
// answer (ngx_http_upstream_cache).
func (x *Exchange) fromCache() (rc int, answered bool) {
	r, p := x.R, &x.Conf.cache
	if !p.on() || p.methods&methodBits[r.Method] == 0 {
		return core.OK, false
	}
	zone, rc := x.cacheZone()
	if zone == nil {
		return rc, rc != core.OK
	}
	key := ""
	if p.key.Set {
		key = p.key.V.Eval(r)
	} else if k, ok := x.proto.(keyer); ok {
		key = k.CacheKey()
	}
	x.AsGet = r.Method == "HEAD" && x.Conf.family.ConvertsHead && p.convert.V
	if most := keyHead + int64(len(key)); most > x.Conf.bufferSize.V {
		r.Logf(errlog.Err, "%sbuffer_size %d is not enough for cache key, it should be increased to at least %d",
			x.Conf.family.Prefix, x.Conf.bufferSize.V, (most+1023)/1024*1024)
		return core.OK, false
	}
	x.cache = &caching{keep: true, look: zone.NewLookup(&filecache.Options{
		Text: key, MinUses: p.minUses.V, Lock: p.lock.V, LockTimeout: p.lockTime.V, LockAge: p.lockAge.V,
		Header: x.clientHeader, TempDir: x.Conf.tempDir(), Log: r.Log,
	})}
	if anyOf(r, p.bypass) {
		x.State.CacheStatus = cacheBypass
		return core.OK, false
	}
	x.State.CacheStatus = cacheMiss
	return x.lookUp()
}

// keyHead is what stands before a response in nginx's files, its key aside, and what nginx
// wants to be left for the response's head, in bytes.
const keyHead = 336 + 6 + 1 + 256

// cacheZone is the cache to be used, nil for none; rc is not OK when there is none of that
// name (ngx_http_upstream_cache_get).
func (x *Exchange) cacheZone() (zone *filecache.Cache, rc int) {
	p := &x.Conf.cache
	if !p.dynamic {
		return p.zone.Data.(*cacheZone).cache, core.OK
	}
	name := p.byName.Eval(x.R)
	if name == "" || name == "off" {
		return nil, core.OK
	}
	if zone = x.Conf.family.namedCache(x.R.Cycle, name); zone == nil {
		x.R.Logf(errlog.Err, "cache \"%s\" not found", name)
		return nil, 500
	}
	return zone, core.OK
}

// clientHeader joins the lines of a header of the request.
func (x *Exchange) clientHeader(name string) string {
	value, first := "", true
	for i := range x.R.In {
		if !ngxtext.EqualFold(x.R.In[i].Name, name) {
			continue
		}
		if !first {
			value += ","
		}
		first = false
		value += strings.Trim(x.R.In[i].Value, " ")
	}
	return value
}

// lookUp asks the cache, as often as it says that another request is about to have the
// answer.
func (x *Exchange) lookUp() (rc int, answered bool) {
	r, p, c := x.R, &x.Conf.cache, x.cache
	verdict, err := c.look.Open()
	for err == nil && verdict == filecache.Busy {
		if !x.awaitCache() {
			return core.StatusClientClosed, true
		}
		verdict, err = c.look.Open()
	}
	if err != nil {
		return 500, true
	}
	serveOld := (p.useStale&nextUpdating != 0 && p.useStale&nextOff == 0 || c.look.StaleUpdating) && !r.Detached
	switch verdict {
	case filecache.Remembered:
		x.State.CacheStatus = cacheHit
		return c.look.Status, true
	case filecache.Fresh:
		x.State.CacheStatus = cacheHit
		return x.sendHit()
	case filecache.Updating:
		if serveOld {
			x.State.CacheStatus = cacheUpdating
			return x.sendHit()
		}
		x.expire()
	case filecache.Stale:
		if serveOld && p.background.V && x.updateLater() {
			x.State.CacheStatus = cacheStale
			return x.sendHit()
		}
		x.expire()
	case filecache.Scarce:
		c.keep = false
	}
	if x.rangeTooFar() {
		c.keep = false
	}
	return core.OK, false
}

// awaitCache waits for another request's answer. It is false when the client has gone.
func (x *Exchange) awaitCache() (alive bool) {
	r := x.R
	r.FlushBeforeWait()
	r.Wait(func() {
		var gone <-chan struct{}
		if conn := r.Main.Conn; conn != nil && !r.Unwatched {
			gone = conn.Aborted()
		}
		alive = x.cache.look.Wait(gone)
	})
	return alive
}

// expire says that the response in the cache is asked for anew.
func (x *Exchange) expire() {
	st, l := x.State, x.cache.look
	st.CacheStatus = cacheExpired
	if x.Conf.cache.revalidate.V {
		st.revalidate, st.tag, st.modified = true, l.ETag, l.LastModified
	}
}

// rangeTooFar tells whether the client asks for a part so far behind the beginning that it is
// not worth to fetch it all (ngx_http_upstream_cache_check_range).
func (x *Exchange) rangeTooFar() bool {
	most := x.Conf.cache.maxOffset.V
	want, ok := x.R.In.Get("Range")
	if !ok || !x.cache.keep || most == unlimitedOffset {
		return false
	}
	if most == 0 {
		return true
	}
	if len(want) < len("bytes=0") || !ngxtext.EqualFold(want[:len("bytes=")], "bytes=") {
		return false
	}
	want = strings.TrimLeft(want[len("bytes="):], " ")
	if strings.HasPrefix(want, "-") {
		return true
	}
	end := 0
	for end < len(want) && isDigit(want[end]) {
		end++
	}
	n, ok := ngxtext.ParseDecimal(want[:end])
	return ok && n >= most || !ok && end > 0
}

// sendHit sends what the cache has; where that cannot be read the upstream is asked.
func (x *Exchange) sendHit() (rc int, answered bool) {
	if !x.readCached() {
		x.State.CacheStatus = cacheMiss
		return core.OK, false
	}
	return x.sendCached(), true
}

// readCached makes the response in the cache that of the exchange.
func (x *Exchange) readCached() bool {
	c := x.cache
	h, ok := decodeHead(c.look.Head)
	if !ok || c.look.Body() == nil {
		if c.look.Body() != nil {
			x.R.Logf(errlog.Crit, "cache file \"%s\" contains invalid header", c.look.Body().Name())
		}
		return false
	}
	x.In.Head = h
	x.State.Headers = h.Headers
	x.fromFile = true
	c.fresh.read(x, h.Headers)
	return true
}

// sendCached sends the response that readCached read (ngx_http_upstream_cache_send,
// ngx_http_cache_send).
func (x *Exchange) sendCached() int {
	r, l := x.R, x.cache.look
	if target, ok := x.accelTarget(); ok {
		return x.accelRedirect(target)
	}
	x.setHead()
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.OutputFile(&fileBody{l.Body(), l.BodyStart}, l.Length)
}

// fileBody is a body that begins somewhere in a file.
type fileBody struct {
	file interface {
		io.ReaderAt
		Name() string
	}
	start int64
}

func (f *fileBody) ReadAt(p []byte, at int64) (int, error) { return f.file.ReadAt(p, f.start+at) }
func (f *fileBody) Name() string                           { return f.file.Name() }

// staleFor sends what the cache has instead of a failure, when it may.
func (x *Exchange) staleFor(kind nextKind) (rc int, ok bool) {
	c := x.cache
	if c == nil || x.State.CacheStatus != cacheExpired || !x.Conf.cache.stale(kind) && !c.look.StaleError {
		return 0, false
	}
	if !x.readCached() {
		return 500, true
	}
	x.State.CacheStatus = cacheStale
	return x.sendCached(), true
}

// readFreshness takes what a response says of how long it may be kept.
func (x *Exchange) readFreshness() {
	c := x.cache
	if c == nil {
		return
	}
	c.fresh = freshness{never: x.In.Head.Bare}
	c.fresh.read(x, x.In.Head.Headers)
}

// fromCacheAfterAll answers with what the cache has when the upstream's response says that it
// is still good, or is one of those for which it will do (ngx_http_upstream_test_next).
func (x *Exchange) fromCacheAfterAll() (rc int, ok bool) {
	if x.cache == nil || x.In.Head.Status < 300 {
		return 0, false
	}
	if rc, ok := x.revalidated(); ok {
		return rc, true
	}
	kind := nextStatuses[x.In.Head.Status]
	if kind == 0 || x.State.CacheStatus != cacheExpired || !x.Conf.cache.stale(kind) {
		return 0, false
	}
	x.proto.StartBody()
	x.In.BodyRead = 0
	x.finishConn()
	return x.staleFor(kind)
}

// revalidated takes a 304 for a word that the response in the cache is still good
// (ngx_http_upstream_test_next).
func (x *Exchange) revalidated() (rc int, ok bool) {
	c := x.cache
	if x.In.Head.Status != 304 || c == nil || x.State.CacheStatus != cacheExpired || !x.Conf.cache.revalidate.V {
		return 0, false
	}
	said := c.fresh
	x.proto.StartBody()
	x.In.BodyRead = 0
	x.finishConn()
	x.State.CacheStatus = cacheRevalidated
	c.fresh = freshness{valid: said.valid, updating: said.updating, failing: said.failing}
	if !x.readCached() {
		return 500, true
	}
	now := time.Now().Unix()
	if said.valid == 0 {
		said = c.fresh
	}
	if said.valid == 0 {
		if d := x.Conf.cache.validFor(x.In.Head.Status); d > 0 {
			said.valid = now + int64(d/time.Second)
		}
	}
	if said.valid != 0 {
		c.look.Refresh(filecache.Meta{Valid: said.valid, Updating: said.updating, Error: said.failing, Date: now})
	}
	return x.sendCached(), true
}

// remember keeps an error's status where the configuration says how long.
func (x *Exchange) remember(status int) {
	if !x.keeps() || !x.cache.fresh.keepable() {
		return
	}
	valid := x.cache.fresh.valid
	if valid == 0 {
		if d := x.Conf.cache.validFor(status); d > 0 {
			valid = time.Now().Unix() + int64(d/time.Second)
		}
	}
	if valid != 0 {
		x.cache.look.Remember(status, valid)
	}
}

// endCaching ends the use of the cache; rc is how the exchange ended.
func (x *Exchange) endCaching(rc int) {
	c := x.cache
	if c == nil || c.background {
		return
	}
	if (rc == 502 || rc == 504) && c.look.Status == 0 {
		c.fresh = freshness{never: c.fresh.never}
		x.remember(rc)
	}
	c.look.Free()
}

// updateLater has the response asked for anew while the client gets what there is
// (ngx_http_upstream_cache_background_update).
func (x *Exchange) updateLater() bool {
	r := x.R
	o := core.SubrequestOptions{
		URI: r.URI, Args: r.Args, EmptyArgs: r.EmptyArgs, Method: r.Method, Clone: true,
		Post: func(*core.Request, int) {},
	}
	if r.Loc.Handler == nil || r.Background(o) != core.OK {
		return false
	}
	look := x.cache.look
	x.cache.background = true
	r.OnEnd(func(*core.Request) { look.Free() })
	return true
}

// cacheError is what -t says of a location's cache.
func (f *Family) cacheError(p *cacheConf) error {
	if p.zone != nil && p.zone.Data == nil {
		return fmt.Errorf("\"%scache\" zone \"%s\" is unknown", f.Prefix, p.zone.Name)
	}
	return nil
}
