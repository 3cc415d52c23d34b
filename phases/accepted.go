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
		{"ssl_engine", inMain, take1, refused("keys in hardware cannot be used")},
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
		{inHTTPSrvLoc, take1, discardSize, "sendfile_max_chunk directio_alignment read_ahead send_lowat"},
		{inHTTPSrvLoc, take1, discardTime, "open_file_cache_valid"},
		{inHTTPSrvLoc, take1, discardNumber, "open_file_cache_min_uses types_hash_max_size types_hash_bucket_size " +
			"proxy_headers_hash_max_size proxy_headers_hash_bucket_size"},
		{inHTTPSrvLoc, take12, discardWords, "open_file_cache"},
		{inHTTPSrvLoc, take1234, discardWords, "open_log_file_cache proxy_temp_path fastcgi_temp_path scgi_temp_path uwsgi_temp_path"},
		{inHTTP, take1, discardNumber, "server_names_hash_max_size server_names_hash_bucket_size variables_hash_max_size " +
			"variables_hash_bucket_size map_hash_max_size map_hash_bucket_size"},
		{inHTTP | inServer, take1, discardSize, "connection_pool_size request_pool_size"},
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
func discardSize(name string) setter   { return offset(discarded[int64](name)) }

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
