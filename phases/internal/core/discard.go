package core

import (
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// discardedAt is where a directive stands that has no effect.
type discardedAt struct {
	name string
	in   Level
	loc  *Location
}

// Discarded is the field of a value that only has to be right and to stand once in
// its place.
func Discarded[T any](name string) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] {
		at := discardedAt{name, c.Level, c.Loc}
		if field, ok := c.discarded[at].(*Opt[T]); ok {
			return field
		}
		field := new(Opt[T])
		c.discarded[at] = field
		return field
	}
}

func discardFlag(name string) Setter { return SetFlag(Discarded[bool](name)) }

// DiscardTime accepts a time in milliseconds. As with the others here, the value has to be
// right and stands once a level.
func DiscardTime(name string) Setter { return SetMsec(Discarded[time.Duration](name)) }

// DiscardNumber accepts a number.
func DiscardNumber(name string) Setter { return SetNumber(Discarded[int](name)) }

// DiscardSize accepts a size.
func DiscardSize(name string) Setter { return SetSize(Discarded[int64](name)) }

// DiscardOffset accepts a size that may be in gigabytes.
func DiscardOffset(name string) Setter { return SetOffset(Discarded[int64](name)) }

// DiscardPool accepts the size of a pool of memory.
func DiscardPool(name string) Setter { return poolSize(Discarded[int64](name)) }

func discardSeconds(name string) Setter { return SetSec(Discarded[time.Duration](name)) }

// DiscardBuffers accepts NUMBER SIZE.
func DiscardBuffers(name string) Setter { return SetBuffers(Discarded[Buffers](name)) }

// DiscardLowat checks an amount that Linux does not wait for.
func DiscardLowat(name string) Setter {
	set := DiscardSize(name)
	return func(c *Compiler, d *conf.Directive) error {
		err := set(c, d)
		if err == nil {
			c.Warnf(d, "\"%s\" is not supported, ignored", strings.Replace(name, "lua_socket_", "lua_", 1))
		}
		return err
	}
}

// discardHash checks a size of a hash table that nginx always builds. Whether what
// goes in would fit is not looked at.
func discardHash(name string) Setter {
	set := DiscardNumber(name)
	table := name[:strings.Index(name, "_hash_")+len("_hash")]
	return func(c *Compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		const line, most = 64, 64 << 10 // bytes: of the processor's cache, of a bucket
		n := Discarded[int](name)(c).V
		switch rounded := (n + line - 1) / line * line; {
		case n == 0 && (name != "types_hash_max_size" || c.Level != InLocation): // one without types has no table
			return &conf.Error{Msg: fmt.Sprintf("could not build %s, you should increase %s: 0", table, name)}
		case strings.HasSuffix(name, "_bucket_size") && rounded > most-line:
			return &conf.Error{Msg: fmt.Sprintf("could not build %s, too large %s: %d", table, name, rounded)}
		}
		return nil
	}
}

// poolSize stores the size of one of nginx's memory pools, in bytes.
func poolSize(field func(c *Compiler) *Opt[int64]) Setter {
	set := SetSize(field)
	return func(c *Compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		switch n := field(c).V; {
		case n < 112:
			return fmt.Errorf("the pool size must be no less than 112")
		case n%16 != 0:
			return fmt.Errorf("the pool size must be a multiple of 16")
		}
		return nil
	}
}

// DiscardFileCache reads open_file_cache and open_log_file_cache: off, or max=N with
// other parameters.
func DiscardFileCache(name string) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		if err := Discarded[[]string](name)(c).Put(d.Args); err != nil {
			return err
		}
		off, most := false, int64(0)
		for _, arg := range d.Args {
			key, value, _ := strings.Cut(arg, "=")
			n, ok := ngxtext.ParseDecimal(value)
			switch key {
			case "max":
				most, ok = n, ok && (n > 0 || name == "open_log_file_cache")
			case "inactive":
				_, ok = ngxtext.ParseSeconds(value)
			case "min_uses":
				ok = ok && name == "open_log_file_cache"
			case "valid":
				_, ok = ngxtext.ParseSeconds(value)
				ok = ok && name == "open_log_file_cache"
			default:
				off = arg == "off"
				ok = off
			}
			if !ok {
				return fmt.Errorf("invalid \"%s\" parameter \"%s\"", name, arg)
			}
		}
		if !off && most == 0 {
			the := ""
			if name == "open_file_cache" {
				the = "the "
			}
			return fmt.Errorf("\"%s\" must have %s\"max\" parameter", name, the)
		}
		return nil
	}
}

// discardPath reads a folder for files that this server does not write.
func discardPath(name string) Setter {
	set := discardWords(name)
	return func(c *Compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		return checkPathLevels(d.Args[1:])
	}
}

func discardWords(name string) Setter {
	return func(c *Compiler, d *conf.Directive) error { return Discarded[[]string](name)(c).Put(d.Args) }
}
