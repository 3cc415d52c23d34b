package upstream

import (
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// nextKind says how an attempt at an upstream failed, and for which failures
// next_upstream tries another.
type nextKind uint32

const (
	nextError nextKind = 1 << iota
	nextTimeout
	nextInvalid
	next500
	next502
	next503
	next504
	next403
	next404
	next429
	nextNonIdempotent
	nextNoLive
	nextUpdating // cache_use_stale
	nextOff
)

// nextWords are the words of next_upstream, of which each family has some. That of the
// response cache is known, as configurations have it everywhere.
var nextWords = map[string]nextKind{
	"error": nextError, "timeout": nextTimeout, "invalid_header": nextInvalid, "non_idempotent": nextNonIdempotent,
	"http_500": next500, "http_502": next502, "http_503": next503, "http_504": next504,
	"http_403": next403, "http_404": next404, "http_429": next429, "updating": nextUpdating, "off": nextOff,
	"invalid_response": nextInvalid, "not_found": next404, // of memcached
}

// nextStatuses are the statuses that count as failures if asked for.
var nextStatuses = map[int]nextKind{
	500: next500, 502: next502, 503: next503, 504: next504, 403: next403, 404: next404, 429: next429,
}

// status is what the client gets for a failure without a response.
func (k nextKind) status() int {
	switch k {
	case nextTimeout, next504:
		return 504
	case next500:
		return 500
	case next503:
		return 503
	case next403:
		return 403
	case next404:
		return 404
	case next429:
		return 429
	}
	return 502
}

// setNext reads next_upstream WORD...
func (f *Family) setNext(at func(c *core.Compiler) *Config) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		return setMask(c, d, &at(c).next, func(word string) (nextKind, bool) { return nextWords[word], slices.Contains(f.Next, word) })
	}
}

// allows reports whether another attempt may follow one that failed this way
// (ngx_http_upstream_next, ngx_http_upstream_test_next).
func (x *Exchange) allows(kind nextKind) bool {
	if m := x.R.Method; x.connected && (m == "POST" || m == "LOCK" || m == "PATCH") {
		kind |= nextNonIdempotent
	}
	want := x.Conf.next.V
	if want&nextOff != 0 {
		want = 0
	}
	timeout := x.Conf.nextTimeout.V
	return want&kind == kind && !(x.connected && x.Body.live) && !(timeout > 0 && time.Since(x.start) >= timeout)
}

// refusedStatus is the failure that the status of the response stands for, 0
// when the response is the answer.
func (x *Exchange) refusedStatus() nextKind {
	if kind := nextStatuses[x.In.Head.Status]; kind != 0 && x.choice.Tries > 1 && x.allows(kind) {
		return kind
	}
	return 0
}

// next settles an attempt that failed: another one follows, or the request ends
// with a status (ngx_http_upstream_next).
func (x *Exchange) next(kind nextKind) (rc int, again bool) {
	x.account()
	how := Failed
	x.State.Last = "failed"
	if kind == next403 || kind == next404 {
		how = Refused
		x.State.Last = "next"
	}
	x.release(how)
	if kind == nextTimeout {
		x.R.Log(errlog.Err, "upstream timed out (110: Connection timed out)")
	}
	if x.cached && kind == nextError {
		x.choice.Tries++
	}
	t := x.try()
	t.Status = kind.status()
	if x.choice.Tries == 0 || !x.allows(kind) {
		if rc, ok := x.staleFor(kind); ok {
			return rc, false
		}
		return t.Status, false
	}
	t.Response = time.Since(x.begun)
	x.drop()
	return 0, true
}

// useAddrs makes the addresses of a name the peers, in an order that differs from
// request to request.
func (x *Exchange) useAddrs(addrs []string) {
	list := make([]string, len(addrs))
	first := rand.IntN(len(addrs))
	for i := range addrs {
		list[i] = net.JoinHostPort(addrs[(first+i)%len(addrs)], x.target.Port)
	}
	x.up = Implicit(x.target.Name, list)
}
