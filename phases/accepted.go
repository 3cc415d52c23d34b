package phases

import (
	"fmt"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// acceptedDirectives have their form checked and say nothing to this server: they
// tune nginx's memory, event loop, hash tables and system calls, or name folders
// that are not used. Nobody who serves the same requests could tell the difference.
func acceptedDirectives() []directive {
	list := []directive{
		{"use", inEvents, take1, setUse},
		{"debug_points", inMain, take1, enum(discarded[int]("debug_points"), "stop", "abort")},
		{"aio", inHTTPSrvLoc, take1, setAio},
		{"directio", inHTTPSrvLoc, take1, func(c *compiler, d *conf.Directive) error {
			if d.Args[0] == "off" {
				return discarded[int64](d.Name)(c).put(0)
			}
			return offset(discarded[int64](d.Name))(c, d)
		}},
		{"load_module", inMain, take1, ignored},
		{"debug_connection", inEvents, take1, inert},
	}
	for _, group := range []struct {
		in    level
		args  arity
		set   func(name string) setter
		names string
	}{
		{inEvents, takeFlag, discardFlag, "accept_mutex multi_accept"},
		{inEvents, take1, discardTime, "accept_mutex_delay"},
		{inEvents, take1, discardNumber, "worker_aio_requests"},
		{inMain, takeFlag, discardFlag, "pcre_jit"},
		{inMain, take1, discardWords, "lock_file"},
		{inAnyLoc, takeFlag, discardFlag, "sendfile"},
		{inHTTPSrvLoc, takeFlag, discardFlag, "tcp_nopush aio_write open_file_cache_errors open_file_cache_events"},
		{inHTTPSrvLoc, take1, discardSize, "sendfile_max_chunk read_ahead"},
		{inHTTPSrvLoc, take1, discardLowat, "send_lowat"},
		{inHTTPSrvLoc, take1, discardOffset, "directio_alignment"},
		{inHTTPSrvLoc, take1, discardSeconds, "open_file_cache_valid"},
		{inHTTPSrvLoc, take1, discardNumber, "open_file_cache_min_uses"},
		{inHTTPSrvLoc, take1, discardHash, "types_hash_max_size types_hash_bucket_size " +
			"proxy_headers_hash_max_size proxy_headers_hash_bucket_size"},
		{inHTTPSrvLoc, take12, discardFileCache, "open_file_cache"},
		{inHTTPSrvLoc, take1234, discardPath, "proxy_temp_path fastcgi_temp_path scgi_temp_path uwsgi_temp_path"},
		{inHTTP, take1, discardNumber, "server_names_hash_max_size server_names_hash_bucket_size " +
			"map_hash_max_size map_hash_bucket_size"},
		{inHTTP, take1, discardHash, "variables_hash_max_size variables_hash_bucket_size"},
		{inHTTP | inServer, take1, discardPool, "request_pool_size"},
	} {
		for _, name := range strings.Fields(group.names) {
			list = append(list, directive{name, group.in, group.args, group.set(name)})
		}
	}
	return list
}

// discardedAt is where a directive stands that has no effect.
type discardedAt struct {
	name string
	in   level
	loc  *Location
}

// discarded is the field of a value that only has to be right and to stand once in
// its place.
func discarded[T any](name string) func(*compiler) *opt[T] {
	return func(c *compiler) *opt[T] {
		at := discardedAt{name, c.level, c.loc}
		if field, ok := c.discarded[at].(*opt[T]); ok {
			return field
		}
		field := new(opt[T])
		c.discarded[at] = field
		return field
	}
}

func discardFlag(name string) setter   { return onOff(discarded[bool](name)) }
func discardTime(name string) setter   { return duration(discarded[time.Duration](name)) }
func discardNumber(name string) setter { return number(discarded[int](name)) }
func discardSize(name string) setter   { return size(discarded[int64](name)) }
func discardOffset(name string) setter { return offset(discarded[int64](name)) }
func discardPool(name string) setter   { return poolSize(discarded[int64](name)) }

func discardSeconds(name string) setter { return seconds(discarded[time.Duration](name)) }
func discardBuffers(name string) setter { return putBuffers(discarded[buffers](name)) }

// discardLowat checks an amount that Linux does not wait for.
func discardLowat(name string) setter {
	set := discardSize(name)
	return func(c *compiler, d *conf.Directive) error {
		err := set(c, d)
		if err == nil {
			c.warnf(d, "\"%s\" is not supported, ignored", strings.Replace(name, "lua_socket_", "lua_", 1))
		}
		return err
	}
}

// discardHash checks a size of a hash table that nginx always builds. Whether what
// goes in would fit is not looked at.
func discardHash(name string) setter {
	set := discardNumber(name)
	table := name[:strings.Index(name, "_hash_")+len("_hash")]
	return func(c *compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		const line, most = 64, 64 << 10 // bytes: of the processor's cache, of a bucket
		n := discarded[int](name)(c).v
		switch rounded := (n + line - 1) / line * line; {
		case n == 0:
			return &conf.Error{Msg: fmt.Sprintf("could not build %s, you should increase %s: 0", table, name)}
		case strings.HasSuffix(name, "_bucket_size") && rounded > most-line:
			return &conf.Error{Msg: fmt.Sprintf("could not build %s, too large %s: %d", table, name, rounded)}
		}
		return nil
	}
}

// poolSize stores the size of one of nginx's memory pools, in bytes.
func poolSize(field func(c *compiler) *opt[int64]) setter {
	set := size(field)
	return func(c *compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		switch n := field(c).v; {
		case n < 112:
			return fmt.Errorf("the pool size must be no less than 112")
		case n%16 != 0:
			return fmt.Errorf("the pool size must be a multiple of 16")
		}
		return nil
	}
}

// discardFileCache reads open_file_cache and open_log_file_cache: off, or max=N with
// other parameters.
func discardFileCache(name string) setter {
	return func(c *compiler, d *conf.Directive) error {
		if err := discarded[[]string](name)(c).put(d.Args); err != nil {
			return err
		}
		off, most := false, int64(0)
		for _, arg := range d.Args {
			key, value, _ := strings.Cut(arg, "=")
			n, ok := parseDecimal(value)
			switch key {
			case "max":
				most, ok = n, ok && (n > 0 || name == "open_log_file_cache")
			case "inactive":
				_, ok = parseSeconds(value)
			case "min_uses":
				ok = ok && name == "open_log_file_cache"
			case "valid":
				_, ok = parseSeconds(value)
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
func discardPath(name string) setter {
	set := discardWords(name)
	return func(c *compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		return checkPathLevels(d.Args[1:])
	}
}

func discardWords(name string) setter {
	return func(c *compiler, d *conf.Directive) error { return discarded[[]string](name)(c).put(d.Args) }
}

func setUse(c *compiler, d *conf.Directive) error {
	switch d.Args[0] {
	case "epoll", "poll", "select", "kqueue", "eventport", "/dev/poll":
		return discarded[string](d.Name)(c).put(d.Args[0])
	}
	return fmt.Errorf("invalid event type \"%s\"", d.Args[0])
}

func setAio(c *compiler, d *conf.Directive) error {
	if arg := d.Args[0]; arg != "on" && arg != "off" && arg != "threads" && !strings.HasPrefix(arg, "threads=") {
		return errInvalidValue
	}
	return discarded[string](d.Name)(c).put(d.Args[0])
}
