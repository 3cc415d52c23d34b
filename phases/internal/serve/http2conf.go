package serve

import (
	"fmt"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// HTTP2Module is ngx_http_v2_module.
var HTTP2Module = &core.Module{
	Name:       "v2",
	Directives: http2Directives,
	Variables:  func() []core.Variable { return []core.Variable{{Name: "http2", Get: core.Always(http2Var)}} },
	Conf:       []core.ConfSlot{http2Server, http2Loc},
}

var (
	http2Server = core.NewServerSlot(mergeHTTP2Server)
	http2Loc    = core.NewLocSlot(mergeHTTP2)
)

// http2ServerConf is what ngx_http_v2_module keeps for a server. Where the protocol
// needs an answer before the server is known, the address's default server's
// counts.
type http2ServerConf struct {
	maxStreams core.Opt[int]   // http2_max_concurrent_streams
	preread    core.Opt[int64] // http2_body_preread_size
}

func mergeHTTP2Server(s, outer *http2ServerConf, _ bool) {
	s.maxStreams.Merge(outer.maxStreams, 128)
	s.preread.Merge(outer.preread, 64<<10)
}

// http2Conf is what it keeps for a location.
type http2Conf struct {
	chunk core.Opt[int64] // http2_chunk_size
}

func mergeHTTP2(c, outer *http2Conf, _ bool) { c.chunk.Merge(outer.chunk, 8<<10) }

const maxHTTP2Window = 1<<31 - 1

func http2Directives() []core.Directive {
	const where = core.InHTTP | core.InServer
	preread := core.SetSize(core.In(http2Server, func(s *http2ServerConf) *core.Opt[int64] { return &s.preread }))
	chunk := core.SetSize(core.In(http2Loc, func(c *http2Conf) *core.Opt[int64] { return &c.chunk }))
	return []core.Directive{
		{Name: "http2_max_concurrent_streams", In: where, Args: core.Take1, Set: core.SetNumber(core.In(http2Server, func(s *http2ServerConf) *core.Opt[int] { return &s.maxStreams }))},
		{Name: "http2_body_preread_size", In: where, Args: core.Take1, Set: func(c *core.Compiler, d *conf.Directive) error {
			err := preread(c, d)
			if err == nil && http2Server.At(c).preread.V > maxHTTP2Window {
				err = fmt.Errorf("the maximum body preread buffer size is %d", maxHTTP2Window)
			}
			return err
		}},
		{Name: "http2_chunk_size", In: core.InHTTPSrvLoc, Args: core.Take1, Set: func(c *core.Compiler, d *conf.Directive) error {
			err := chunk(c, d)
			if v := &http2Loc.At(c).chunk.V; err == nil && *v == 0 {
				err = fmt.Errorf("the http2 chunk size cannot be zero")
			} else if err == nil {
				*v = min(*v, http2MaxFrame)
			}
			return err
		}},
		{Name: "http2_recv_buffer_size", In: core.InHTTP, Args: core.Take1, Set: atLeast(33, core.DirectiveError("value is too small"))},
		{Name: "http2_pool_size", In: where, Args: core.Take1, Set: core.DiscardPool("http2_pool_size")},
		{Name: "http2_streams_index_size", In: where, Args: core.Take1, Set: discardPowerOfTwo("http2_streams_index_size")},
		{Name: "http2_max_requests", In: where, Args: core.Take1, Set: obsolete("keepalive_requests")},
		{Name: "http2_max_field_size", In: where, Args: core.Take1, Set: obsolete("large_client_header_buffers")},
		{Name: "http2_max_header_size", In: where, Args: core.Take1, Set: obsolete("large_client_header_buffers")},
		{Name: "http2_recv_timeout", In: where, Args: core.Take1, Set: obsolete("client_header_timeout")},
		{Name: "http2_idle_timeout", In: where, Args: core.Take1, Set: obsolete("keepalive_timeout")},
		{Name: "http2_max_concurrent_pushes", In: where, Args: core.Take1, Set: core.DiscardNumber("http2_max_concurrent_pushes")},
		{Name: "http2_push", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.Inert},
		{Name: "http2_push_preload", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.Inert},
	}
}

// obsolete accepts a directive that another one has replaced, with nginx's
// warning.
func obsolete(now string) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		c.Warnf(d, "the \"%s\" directive is obsolete, use the \"%s\" directive instead", d.Name, now)
		return nil
	}
}

// discardPowerOfTwo checks the size of a table that this server has not.
func discardPowerOfTwo(name string) core.Setter {
	set := core.DiscardNumber(name)
	return func(c *core.Compiler, d *conf.Directive) error {
		err := set(c, d)
		if n := core.Discarded[int](name)(c).V; err == nil && (n == 0 || n&(n-1) != 0) {
			err = core.DirectiveError("must be a power of two")
		}
		return err
	}
}

// atLeast checks a size that tunes nginx's memory and is not needed here.
func atLeast(low int64, tooSmall error) core.Setter {
	return func(_ *core.Compiler, d *conf.Directive) error {
		n, ok := ngxtext.ParseSize(d.Args[0], false)
		if !ok {
			return core.ErrInvalidValue
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
	s, l := http2Server.Of(b.listen.Default), b.listen.Default.Loc
	return http2Limits{
		maxStreams:        s.maxStreams.V,
		preread:           s.preread.V,
		fieldSize:         b.limits.LargeBuffer,
		headerSize:        b.limits.LargeBuffer * b.limits.LargeCount,
		maxHeaders:        b.limits.MaxHeaders,
		headerTimeout:     b.limits.HeaderTimeout,
		keepaliveTimeout:  l.KeepaliveTimeout.V,
		keepaliveRequests: int64(l.KeepaliveRequests.V),
		keepaliveTime:     l.KeepaliveTime.V,
		sendTimeout:       l.SendTimeout.V,
		linger:            lingering{mode: l.LingeringClose.V, total: l.LingeringTime.V, each: l.LingeringTimeout.V, pending: true},
	}
}

// http2Var is $http2: "h2" over TLS, "h2c" without, else empty.
func http2Var(r *core.Request) string {
	switch {
	case r.HTTPMajor != 2:
		return ""
	case r.Main.Conn.TLS():
		return "h2"
	}
	return "h2c"
}
