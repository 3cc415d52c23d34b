package phases

import (
	"fmt"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// http2Module is ngx_http_v2_module.
var http2Module = &Module{
	name:       "v2",
	directives: http2Directives,
	variables:  func() []variable { return []variable{{name: "http2", get: always(http2Var)}} },
	conf:       []confSlot{http2Server, http2Loc},
}

var (
	http2Server = newServerSlot(mergeHTTP2Server)
	http2Loc    = newLocSlot(mergeHTTP2)
)

// http2ServerConf is what ngx_http_v2_module keeps for a server. Where the protocol
// needs an answer before the server is known, the address's default server's
// counts.
type http2ServerConf struct {
	maxStreams opt[int]   // http2_max_concurrent_streams
	preread    opt[int64] // http2_body_preread_size
}

func mergeHTTP2Server(s, outer *http2ServerConf, _ bool) {
	s.maxStreams.merge(outer.maxStreams, 128)
	s.preread.merge(outer.preread, 64<<10)
}

// http2Conf is what it keeps for a location.
type http2Conf struct {
	chunk opt[int64] // http2_chunk_size
}

func mergeHTTP2(c, outer *http2Conf, _ bool) { c.chunk.merge(outer.chunk, 8<<10) }

const maxHTTP2Window = 1<<31 - 1

func http2Directives() []directive {
	const where = inHTTP | inServer
	preread := size(in(http2Server, func(s *http2ServerConf) *opt[int64] { return &s.preread }))
	chunk := size(in(http2Loc, func(c *http2Conf) *opt[int64] { return &c.chunk }))
	return []directive{
		{"http2_max_concurrent_streams", where, take1, number(in(http2Server, func(s *http2ServerConf) *opt[int] { return &s.maxStreams }))},
		{"http2_body_preread_size", where, take1, func(c *compiler, d *conf.Directive) error {
			err := preread(c, d)
			if err == nil && http2Server.at(c).preread.v > maxHTTP2Window {
				err = fmt.Errorf("the maximum body preread buffer size is %d", maxHTTP2Window)
			}
			return err
		}},
		{"http2_chunk_size", inHTTPSrvLoc, take1, func(c *compiler, d *conf.Directive) error {
			err := chunk(c, d)
			if v := &http2Loc.at(c).chunk.v; err == nil && *v == 0 {
				err = fmt.Errorf("the http2 chunk size cannot be zero")
			} else if err == nil {
				*v = min(*v, http2MaxFrame)
			}
			return err
		}},
		{"http2_recv_buffer_size", inHTTP, take1, atLeast(33, directiveError("value is too small"))},
		{"http2_pool_size", where, take1, discardPool("http2_pool_size")},
		{"http2_streams_index_size", where, take1, discardPowerOfTwo("http2_streams_index_size")},
		{"http2_max_requests", where, take1, obsolete("keepalive_requests")},
		{"http2_max_field_size", where, take1, obsolete("large_client_header_buffers")},
		{"http2_max_header_size", where, take1, obsolete("large_client_header_buffers")},
		{"http2_recv_timeout", where, take1, obsolete("client_header_timeout")},
		{"http2_idle_timeout", where, take1, obsolete("keepalive_timeout")},
		{"http2_max_concurrent_pushes", where, take1, discardNumber("http2_max_concurrent_pushes")},
		{"http2_push", inHTTPSrvLoc, take1, inert},
		{"http2_push_preload", inHTTPSrvLoc, takeFlag, inert},
	}
}

// obsolete accepts a directive that another one has replaced, with nginx's
// warning.
func obsolete(now string) setter {
	return func(c *compiler, d *conf.Directive) error {
		c.warnf(d, "the \"%s\" directive is obsolete, use the \"%s\" directive instead", d.Name, now)
		return nil
	}
}

// discardPowerOfTwo checks the size of a table that this server has not.
func discardPowerOfTwo(name string) setter {
	set := discardNumber(name)
	return func(c *compiler, d *conf.Directive) error {
		err := set(c, d)
		if n := discarded[int](name)(c).v; err == nil && (n == 0 || n&(n-1) != 0) {
			err = directiveError("must be a power of two")
		}
		return err
	}
}

// atLeast checks a size that tunes nginx's memory and is not needed here.
func atLeast(low int64, tooSmall error) setter {
	return func(_ *compiler, d *conf.Directive) error {
		n, ok := parseSize(d.Args[0], false)
		if !ok {
			return errInvalidValue
		}
		if n < low {
			return tooSmall
		}
		return nil
	}
}

// http2Limits are the directives that hold for a connection as a whole.
type http2Limits struct {
	maxStreams        int
	preread           int64
	fieldSize         int // of large_client_header_buffers: the longest name or value
	headerSize        int // names and values of one request
	maxHeaders        int
	headerTimeout     time.Duration
	keepaliveTimeout  time.Duration
	keepaliveRequests int64
	keepaliveTime     time.Duration
	sendTimeout       time.Duration
	linger            lingering
}

func newHTTP2Limits(b *binding) http2Limits {
	s, l := http2Server.of(b.listen.Default), b.listen.Default.loc
	return http2Limits{
		maxStreams:        s.maxStreams.v,
		preread:           s.preread.v,
		fieldSize:         b.limits.LargeBuffer,
		headerSize:        b.limits.LargeBuffer * b.limits.LargeCount,
		maxHeaders:        b.limits.MaxHeaders,
		headerTimeout:     b.limits.HeaderTimeout,
		keepaliveTimeout:  l.keepaliveTimeout.v,
		keepaliveRequests: int64(l.keepaliveRequests.v),
		keepaliveTime:     l.keepaliveTime.v,
		sendTimeout:       l.sendTimeout.v,
		linger:            lingering{mode: l.lingeringClose.v, total: l.lingeringTime.v, each: l.lingeringTimeout.v, pending: true},
	}
}

// http2Var is $http2: "h2" over TLS, "h2c" without, else empty.
func http2Var(r *Request) string {
	switch {
	case r.HTTPMajor != 2:
		return ""
	case r.Main.Conn.TLS():
		return "h2"
	}
	return "h2c"
}
