package core

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// SetFlag stores on or off.
func SetFlag(field func(c *Compiler) *Opt[bool]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		switch {
		case ngxtext.EqualFold(d.Args[0], "on"):
			return f.Put(true)
		case ngxtext.EqualFold(d.Args[0], "off"):
			return f.Put(false)
		}
		return fmt.Errorf("invalid value \"%s\" in \"%s\" directive, it must be \"on\" or \"off\"", d.Args[0], d.Name)
	}
}

// SetEnum stores the place of the argument in names.
func SetEnum(field func(c *Compiler) *Opt[int], names ...string) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		for i, name := range names {
			if ngxtext.EqualFold(d.Args[0], name) {
				return f.Put(i)
			}
		}
		return fmt.Errorf("invalid value \"%s\"", d.Args[0])
	}
}

// putParsed stores a value read by parse.
func putParsed[T, N any](field func(c *Compiler) *Opt[T], parse func(string) (N, bool), as func(N) T) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		v, ok := parse(d.Args[0])
		if !ok {
			return ErrInvalidValue
		}
		return f.Put(as(v))
	}
}

func same[T any](v T) T { return v }

// SetSize stores a number of bytes (ngx_conf_set_size_slot).
func SetSize(field func(c *Compiler) *Opt[int64]) Setter {
	return putParsed(field, func(s string) (int64, bool) { return ngxtext.ParseSize(s, false) }, same)
}

// SetOffset stores a size that may be in gigabytes (ngx_conf_set_off_slot).
func SetOffset(field func(c *Compiler) *Opt[int64]) Setter {
	return putParsed(field, func(s string) (int64, bool) { return ngxtext.ParseSize(s, true) }, same)
}

// SetNumber stores a plain count; nginx says "invalid number" for others.
func SetNumber(field func(c *Compiler) *Opt[int]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		n, ok := ngxtext.ParseDecimal(d.Args[0])
		if !ok {
			return ErrInvalidNumber
		}
		return f.Put(int(n))
	}
}

// SetBetween stores a count within bounds (ngx_conf_check_num_bounds).
func SetBetween(low, high int, field func(c *Compiler) *Opt[int]) Setter {
	set := SetNumber(field)
	return func(c *Compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		if n := field(c).V; n < low || n > high {
			return fmt.Errorf("value must be between %d and %d", low, high)
		}
		return nil
	}
}

// Buffers are a directive's number of buffers and the size of each.
type Buffers struct {
	Count int
	Size  int64 // bytes
}

// SetBuffers stores NUMBER SIZE (ngx_conf_set_bufs_slot).
func SetBuffers(field func(c *Compiler) *Opt[Buffers]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		n, ok := ngxtext.ParseDecimal(d.Args[0])
		size, good := ngxtext.ParseSize(d.Args[1], false)
		if !ok || n == 0 || !good || size == 0 {
			return ErrInvalidValue
		}
		return f.Put(Buffers{int(n), size})
	}
}

// SetText stores the argument as it is.
func SetText(field func(c *Compiler) *Opt[string]) Setter {
	return func(c *Compiler, d *conf.Directive) error { return field(c).Put(d.Args[0]) }
}

// Ignored accepts a directive that has nothing to say to this server: paths of
// temporary files it does not make, tuning of nginx's own event loop.
func Ignored(*Compiler, *conf.Directive) error { return nil }

// Inert accepts a directive that nginx would act on and this server does not:
// the configuration serves, and a warning says what it will not do.
func Inert(c *Compiler, d *conf.Directive) error {
	c.Warnf(d, "the \"%s\" directive has no effect in this server", d.Name)
	return nil
}

// Refused makes a directive an error that says what is missing, where serving
// the configuration without it would be wrong.
func Refused(what string) Setter {
	return func(_ *Compiler, d *conf.Directive) error {
		return fmt.Errorf("\"%s\" directive is not supported: %s", d.Name, what)
	}
}

// Loc makes a field selector for a value of the current location.
func Loc[T any](f func(l *Location) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(c.Loc) }
}

// srv makes a field selector for a value of the current server; at the http
// level it is the value that servers inherit.
func srv[T any](f func(s *Server) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(c.Srv) }
}

// global makes a field selector for a value of the process.
func global[T any](f func(m *MainConf) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(&c.Cycle.Main) }
}

// SetMsec stores a time that may have milliseconds (ngx_conf_set_msec_slot).
func SetMsec(field func(c *Compiler) *Opt[time.Duration]) Setter {
	return putParsed(field, ngxtext.ParseTime, same)
}

// SetSec stores a time in whole seconds (ngx_conf_set_sec_slot).
func SetSec(field func(c *Compiler) *Opt[time.Duration]) Setter {
	return putParsed(field, ngxtext.ParseSeconds, same)
}

// SetTemplate stores a text with variables.
func SetTemplate(field func(c *Compiler) *Opt[Template]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		t, err := c.Template(d.Args[0])
		if err != nil {
			return err
		}
		return field(c).Put(t)
	}
}

// SetAccess stores the rights of files: user:RIGHTS [group:RIGHTS] [all:RIGHTS]
// (ngx_conf_set_access_slot).
func SetAccess(field func(c *Compiler) *Opt[fs.FileMode]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		user, others := fs.FileMode(0o600), fs.FileMode(0)
		for _, arg := range d.Args {
			who, rights, found := strings.Cut(arg, ":")
			bits, good := map[string]fs.FileMode{"r": 4, "rw": 6}[rights]
			if !found || !good {
				return fmt.Errorf("invalid value \"%s\"", arg)
			}
			switch who {
			case "user":
				user = bits << 6
			case "group":
				others |= bits << 3
			case "all":
				others |= bits
			default:
				return fmt.Errorf("invalid value \"%s\"", arg)
			}
		}
		return f.Put(user | others)
	}
}
