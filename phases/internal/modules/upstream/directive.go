package upstream

import (
	"fmt"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

// setters makes the setters of a family for the place where its Config stands.
type setters struct {
	*Family
	at func(c *core.Compiler) *Config
}

func (s setters) flag(f func(p *Config) *core.Opt[bool]) core.Setter {
	return core.SetFlag(func(c *core.Compiler) *core.Opt[bool] { return f(s.at(c)) })
}

func (s setters) msec(f func(p *Config) *core.Opt[time.Duration]) core.Setter {
	return core.SetMsec(func(c *core.Compiler) *core.Opt[time.Duration] { return f(s.at(c)) })
}

func (s setters) size(f func(p *Config) *core.Opt[int64]) core.Setter {
	return core.SetSize(func(c *core.Compiler) *core.Opt[int64] { return f(s.at(c)) })
}

func (s setters) words(f func(p *Config) *[]string) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		list := f(s.at(c))
		*list = append(*list, d.Args...)
		return nil
	}
}

// Directives are the rows of a family, for the place where a level keeps its Config.
func (f *Family) Directives(at func(c *core.Compiler) *Config) []core.Directive {
	s := setters{f, at}
	list := s.basic()
	if f.Has&Headers != 0 {
		list = append(list, s.headers()...)
	}
	if f.Has&Streams != 0 {
		list = append(append(append(list, s.streams()...), s.cache()...), s.store()...)
	}
	if f.Has&TLS != 0 {
		list = append(list, s.tls()...)
	}
	for i := range list {
		list[i].Name = f.Prefix + list[i].Name
		if list[i].In == 0 {
			list[i].In = core.InHTTPSrvLoc
		}
	}
	return list
}

// basic are the directives that each family has.
func (s setters) basic() []core.Directive {
	return []core.Directive{
		{Name: "bind", Args: core.Take12, Set: s.setBind(s.at)},
		{Name: "socket_keepalive", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.socketKeepalive })},
		{Name: "connect_timeout", Args: core.Take1, Set: s.msec(func(p *Config) *core.Opt[time.Duration] { return &p.connect })},
		{Name: "send_timeout", Args: core.Take1, Set: s.msec(func(p *Config) *core.Opt[time.Duration] { return &p.send })},
		{Name: "read_timeout", Args: core.Take1, Set: s.msec(func(p *Config) *core.Opt[time.Duration] { return &p.read })},
		{Name: "buffer_size", Args: core.Take1, Set: s.size(func(p *Config) *core.Opt[int64] { return &p.bufferSize })},
		{Name: "next_upstream", Args: core.TakeMore1, Set: s.setNext(s.at)},
		{Name: "next_upstream_tries", Args: core.Take1, Set: core.SetNumber(func(c *core.Compiler) *core.Opt[int] { return &s.at(c).nextTries })},
		{Name: "next_upstream_timeout", Args: core.Take1, Set: s.msec(func(p *Config) *core.Opt[time.Duration] { return &p.nextTimeout })},
	}
}

func (s setters) headers() []core.Directive {
	return []core.Directive{
		{Name: "intercept_errors", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.intercept })},
		{Name: "hide_header", Args: core.Take1, Set: s.words(func(p *Config) *[]string { return &p.hide })},
		{Name: "pass_header", Args: core.Take1, Set: s.words(func(p *Config) *[]string { return &p.passThrough })},
		{Name: "ignore_headers", Args: core.TakeMore1, Set: s.setIgnore},
	}
}

func (s setters) streams() []core.Directive {
	return []core.Directive{
		{Name: "buffering", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.buffering })},
		{Name: "request_buffering", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.requestBuffering })},
		{Name: "pass_request_body", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.PassBody })},
		{Name: "pass_request_headers", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.PassHeaders })},
		{Name: "ignore_client_abort", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.ignoreAbort })},
		{Name: "buffers", Args: core.Take2, Set: core.SetBuffers(func(c *core.Compiler) *core.Opt[core.Buffers] { return &s.at(c).buffers })},
		{Name: "busy_buffers_size", Args: core.Take1, Set: s.size(func(p *Config) *core.Opt[int64] { return &p.busy })},
		{Name: "max_temp_file_size", Args: core.Take1, Set: s.size(func(p *Config) *core.Opt[int64] { return &p.maxTemp })},
		{Name: "temp_file_write_size", Args: core.Take1, Set: s.size(func(p *Config) *core.Opt[int64] { return &p.tempWrite })},
		{Name: "limit_rate", Args: core.Take1, Set: s.setRate},
		{Name: "force_ranges", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.forceRanges })},
	}
}

func (s setters) tls() []core.Directive {
	list := []core.Directive{
		{Name: "ssl_name", Args: core.Take1, Set: core.SetTemplate(func(c *core.Compiler) *core.Opt[core.Template] { return &s.at(c).sslName })},
		{Name: "ssl_server_name", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.sslServerName })},
		{Name: "ssl_verify", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.sslVerify })},
		{Name: "ssl_certificate", Args: core.Take1, Set: core.SetTemplate(func(c *core.Compiler) *core.Opt[core.Template] { return &s.at(c).sslCert })},
		{Name: "ssl_certificate_key", Args: core.Take1, Set: core.SetTemplate(func(c *core.Compiler) *core.Opt[core.Template] { return &s.at(c).sslKey })},
		{Name: "ssl_password_file", Args: core.Take1, Set: s.setPasswords},
		{Name: "ssl_session_reuse", Args: core.TakeFlag, Set: s.flag(func(p *Config) *core.Opt[bool] { return &p.sslReuse })},
	}
	return append(list, tlsclient.PeerDirectives("ssl_", func(c *core.Compiler) *tlsclient.Client { return &s.at(c).ssl })...)
}

// setIgnore reads ignore_headers NAME...
func (s setters) setIgnore(c *core.Compiler, d *conf.Directive) error {
	p := s.at(c)
	for _, arg := range d.Args {
		switch {
		case !ignorableHeaders[ngxtext.Lower(arg)]:
			return fmt.Errorf("invalid value \"%s\"", arg)
		case ngxtext.ContainsFold(p.ignoreHeaders, arg):
			c.Warnf(d, "duplicate value \"%s\"", arg)
		}
		p.ignoreHeaders = append(p.ignoreHeaders, arg)
	}
	return nil
}

// setRate reads limit_rate RATE, which may have variables with the newer nginx.
func (s setters) setRate(c *core.Compiler, d *conf.Directive) error {
	if core.HasVariables(d.Args[0]) && !c.Cycle.Stack.Has(compat.UpstreamRate) {
		return core.ErrInvalidValue
	}
	return core.SetSizeTemplate(func(c *core.Compiler) *core.Opt[core.Template] { return &s.at(c).limitRate })(c, d)
}

// setPasswords reads ssl_password_file FILE.
func (s setters) setPasswords(c *core.Compiler, d *conf.Directive) error {
	p := s.at(c)
	if p.sslPasswords.Set {
		return core.ErrDuplicate
	}
	list, err := tlsclient.ReadPasswords(c.FullConfPath(d.Args[0]))
	if err != nil {
		return c.Missing(d, "%v", err)
	}
	return p.sslPasswords.Put(list)
}

// setMask reads words of which each stands once (ngx_conf_set_bitmask_slot). find tells
// what a word stands for, and whether it is known.
func setMask[T ~uint32](c *core.Compiler, d *conf.Directive, field *core.Opt[T], find func(word string) (T, bool)) error {
	field.Set = true
	for _, word := range d.Args {
		bit, ok := find(word)
		switch {
		case !ok:
			return fmt.Errorf("invalid value \"%s\"", word)
		case bit != 0 && field.V&bit != 0:
			c.Warnf(d, "duplicate value \"%s\"", word)
		}
		field.V |= bit
	}
	return nil
}
