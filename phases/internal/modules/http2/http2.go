// Package http2 holds the directives of HTTP/2 and $http2 (ngx_http_v2_module). The
// protocol itself is package serve's.
package http2

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Module is ngx_http_v2_module.
var Module = &core.Module{
	Name:       "v2",
	Directives: directives,
	Variables:  func() []core.Variable { return []core.Variable{{Name: "http2", Get: core.Always(variable)}} },
	Conf:       []core.ConfSlot{Server, Loc},
}

var (
	// Server is what the module keeps for a server.
	Server = core.NewServerSlot(mergeServer)
	// Loc is what it keeps for a location.
	Loc = core.NewLocSlot(mergeLoc)
)

// ServerConf are the directives of a server. Where the protocol needs an answer before
// the server is known, the address's default server's counts.
type ServerConf struct {
	On         core.Opt[bool]  // http2
	MaxStreams core.Opt[int]   // http2_max_concurrent_streams
	Preread    core.Opt[int64] // http2_body_preread_size
}

func mergeServer(s, outer *ServerConf, _ bool) {
	s.On.Merge(outer.On, false)
	s.MaxStreams.Merge(outer.MaxStreams, 128)
	s.Preread.Merge(outer.Preread, 64<<10)
}

// LocConf are the directives of a location.
type LocConf struct {
	Chunk core.Opt[int64] // http2_chunk_size
}

func mergeLoc(c, outer *LocConf, _ bool) { c.Chunk.Merge(outer.Chunk, 8<<10) }

// Limits of the protocol (RFC 9113).
const (
	MaxWindow = 1<<31 - 1 // bytes that may be under way
	MaxFrame  = 1<<24 - 1 // bytes of a frame's payload
)

func directives() []core.Directive {
	const where = core.InHTTP | core.InServer
	preread := core.SetSize(core.In(Server, func(s *ServerConf) *core.Opt[int64] { return &s.Preread }))
	chunk := core.SetSize(core.In(Loc, func(c *LocConf) *core.Opt[int64] { return &c.Chunk }))
	return []core.Directive{
		{Name: "http2", In: where, Args: core.TakeFlag, Set: core.SetFlag(core.In(Server, func(s *ServerConf) *core.Opt[bool] { return &s.On }))},
		{Name: "http2_max_concurrent_streams", In: where, Args: core.Take1, Set: core.SetNumber(core.In(Server, func(s *ServerConf) *core.Opt[int] { return &s.MaxStreams }))},
		{Name: "http2_body_preread_size", In: where, Args: core.Take1, Set: func(c *core.Compiler, d *conf.Directive) error {
			err := preread(c, d)
			if err == nil && Server.At(c).Preread.V > MaxWindow {
				err = fmt.Errorf("the maximum body preread buffer size is %d", MaxWindow)
			}
			return err
		}},
		{Name: "http2_chunk_size", In: core.InHTTPSrvLoc, Args: core.Take1, Set: func(c *core.Compiler, d *conf.Directive) error {
			err := chunk(c, d)
			if v := &Loc.At(c).Chunk.V; err == nil && *v == 0 {
				err = fmt.Errorf("the http2 chunk size cannot be zero")
			} else if err == nil {
				*v = min(*v, MaxFrame)
			}
			return err
		}},
		{Name: "http2_recv_buffer_size", In: core.InHTTP, Args: core.Take1, Set: atLeast("http2_recv_buffer_size", 33)},
		{Name: "http2_pool_size", In: where, Args: core.Take1, Set: core.DiscardPool("http2_pool_size")},
		{Name: "http2_streams_index_size", In: where, Args: core.Take1, Set: discardPowerOfTwo("http2_streams_index_size")},
		{Name: "http2_max_requests", In: where, Args: core.Take1, Set: obsolete("keepalive_requests")},
		{Name: "http2_max_field_size", In: where, Args: core.Take1, Set: obsolete("large_client_header_buffers")},
		{Name: "http2_max_header_size", In: where, Args: core.Take1, Set: obsolete("large_client_header_buffers")},
		{Name: "http2_recv_timeout", In: where, Args: core.Take1, Set: obsolete("client_header_timeout")},
		{Name: "http2_idle_timeout", In: where, Args: core.Take1, Set: obsolete("keepalive_timeout")},
		{Name: "http2_max_concurrent_pushes", In: where, Args: core.Take1, Set: noPush(core.DiscardNumber("http2_max_concurrent_pushes"))},
		{Name: "http2_push", In: core.InHTTPSrvLoc, Args: core.Take1, Set: noPush(push)},
		{Name: "http2_push_preload", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: noPush(preload)},
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

// preload reads http2_push_preload, which has no effect here.
func preload(c *core.Compiler, d *conf.Directive) error {
	on := core.Discarded[bool](d.Name)
	err := core.SetFlag(on)(c, d)
	if err == nil && on(c).V {
		return core.Inert(c, d)
	}
	return err
}

// push reads http2_push URI, which has no effect here, or off.
func push(c *core.Compiler, d *conf.Directive) error {
	if d.Args[0] != "off" {
		return core.Inert(c, d)
	}
	return core.Discarded[bool](d.Name)(c).Put(false)
}

// noPush accepts a directive about pushes, which newer releases do not make any more.
func noPush(older core.Setter) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		if !c.Cycle.Stack.Has(compat.HTTP2Directive) {
			return older(c, d)
		}
		c.Warnf(d, "the \"%s\" directive is obsolete, ignored", d.Name)
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
func atLeast(name string, low int64) core.Setter {
	set := core.DiscardSize(name)
	return func(c *core.Compiler, d *conf.Directive) error {
		err := set(c, d)
		if err == nil && core.Discarded[int64](name)(c).V < low {
			err = core.DirectiveError("value is too small")
		}
		return err
	}
}

// variable is $http2: "h2" over TLS, "h2c" without, else empty.
func variable(r *core.Request) string {
	switch {
	case r.HTTPMajor != 2:
		return ""
	case r.Main.Conn.TLS():
		return "h2"
	}
	return "h2c"
}
