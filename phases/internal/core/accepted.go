package core

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// acceptedDirectives have their form checked and say nothing to this server: they
// tune nginx's memory, event loop, hash tables and system calls, or name folders
// that are not used. Nobody who serves the same requests could tell the difference.
func acceptedDirectives() []Directive {
	list := []Directive{
		{"use", InEvents, Take1, setUse},
		{"debug_points", InMain, Take1, SetEnum(Discarded[int]("debug_points"), "stop", "abort")},
		{"aio", InHTTPSrvLoc, Take1, setAio},
		{"directio", InHTTPSrvLoc, Take1, func(c *Compiler, d *conf.Directive) error {
			if d.Args[0] == "off" {
				return Discarded[int64](d.Name)(c).Put(0)
			}
			return SetOffset(Discarded[int64](d.Name))(c, d)
		}},
		{"load_module", InMain, Take1, Ignored},
		{"debug_connection", InEvents, Take1, setDebugConnection},
	}
	for _, group := range []struct {
		in    Level
		args  Arity
		set   func(name string) Setter
		names string
	}{
		{InEvents, TakeFlag, discardFlag, "accept_mutex multi_accept"},
		{InEvents, Take1, DiscardTime, "accept_mutex_delay"},
		{InEvents, Take1, DiscardNumber, "worker_aio_requests epoll_events"},
		{InMain, TakeFlag, discardFlag, "pcre_jit"},
		{InMain, Take1, discardWords, "lock_file"},
		{InAnyLoc, TakeFlag, discardFlag, "sendfile"},
		{InHTTPSrvLoc, TakeFlag, discardFlag, "tcp_nopush aio_write open_file_cache_errors open_file_cache_events"},
		{InHTTPSrvLoc, Take1, DiscardSize, "sendfile_max_chunk read_ahead"},
		{InHTTPSrvLoc, Take1, DiscardLowat, "send_lowat"},
		{InHTTPSrvLoc, Take1, DiscardOffset, "directio_alignment"},
		{InHTTPSrvLoc, Take1, discardSeconds, "open_file_cache_valid"},
		{InHTTPSrvLoc, Take1, DiscardNumber, "open_file_cache_min_uses"},
		{InHTTPSrvLoc, Take1, discardHash, "types_hash_max_size types_hash_bucket_size " +
			"proxy_headers_hash_max_size proxy_headers_hash_bucket_size"},
		{InHTTPSrvLoc, Take12, DiscardFileCache, "open_file_cache"},
		{InHTTPSrvLoc, Take1234, discardPath, "proxy_temp_path fastcgi_temp_path scgi_temp_path uwsgi_temp_path"},
		{InHTTP, Take1, DiscardNumber, "server_names_hash_max_size server_names_hash_bucket_size " +
			"map_hash_max_size map_hash_bucket_size"},
		{InHTTP, Take1, discardHash, "variables_hash_max_size variables_hash_bucket_size"},
		{InHTTP | InServer, Take1, DiscardPool, "request_pool_size"},
	} {
		for _, name := range strings.Fields(group.names) {
			list = append(list, Directive{name, group.in, group.args, group.set(name)})
		}
	}
	return list
}

func setUse(c *Compiler, d *conf.Directive) error {
	switch d.Args[0] {
	case "epoll":
		return Discarded[string](d.Name)(c).Put(d.Args[0])
	}
	return fmt.Errorf("invalid event type \"%s\"", d.Args[0])
}

func setAio(c *Compiler, d *conf.Directive) error {
	pool, named := strings.CutPrefix(d.Args[0], "threads=")
	switch arg := d.Args[0]; {
	case arg == "on":
		return errors.New("\"aio on\" is unsupported on this platform")
	case arg != "off" && arg != "threads" && !named:
		return ErrInvalidValue
	case named && !HasVariables(pool):
		c.poolsUsed = append(c.poolsUsed, poolUse{pool, d})
	}
	return Discarded[string](d.Name)(c).Put(d.Args[0])
}
