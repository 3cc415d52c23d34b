package lua

import (
	"fmt"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxshared"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

const sslPrefix = "lua_ssl_"

func directives() []core.Directive {
	const where = core.InAnyLoc
	millis := func(f func(l *locConf) *core.Opt[time.Duration]) core.Setter { return core.SetMsec(core.In(loc, f)) }
	on := func(f func(l *locConf) *core.Opt[bool]) core.Setter { return core.SetFlag(core.In(loc, f)) }
	return append([]core.Directive{
		{Name: "lua_package_path", In: core.InHTTP, Args: core.Take1, Set: core.SetText(core.In(main, func(m *mainConf) *core.Opt[string] { return &m.packagePath }))},
		{Name: "lua_package_cpath", In: core.InHTTP, Args: core.Take1, Set: core.SetText(core.In(main, func(m *mainConf) *core.Opt[string] { return &m.packageCPath }))},
		{Name: "lua_shared_dict", In: core.InHTTP, Args: core.Take2, Set: setSharedDict},
		{Name: "lua_code_cache", In: where, Args: core.TakeFlag, Set: setCodeCache},
		{Name: "lua_max_pending_timers", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.maxPendingTimers }))},
		{Name: "lua_max_running_timers", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.maxRunningTimers }))},
		{Name: "lua_regex_cache_max_entries", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.regexCacheMaxEntries }))},
		{Name: "lua_regex_match_limit", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.regexMatchLimit }))},
		{Name: "lua_thread_cache_max_entries", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.threadCacheMax }))},
		{Name: "lua_worker_thread_vm_pool_size", In: core.InHTTP, Args: core.Take1, Set: core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.workerThreadPool }))},
		{Name: "lua_malloc_trim", In: core.InHTTP, Args: core.Take1, Set: setMallocTrim},
		{Name: "lua_capture_error_log", In: core.InHTTP, Args: core.Take1, Set: core.SetSize(core.In(main, func(m *mainConf) *core.Opt[int64] { return &m.captureErrorLog }))},
		{Name: "lua_load_resty_core", In: core.InHTTP, Args: core.TakeFlag, Set: core.SetFlag(core.In(main, func(m *mainConf) *core.Opt[bool] { return &m.loadRestyCore }))},
		{Name: "lua_sa_restart", In: core.InHTTP, Args: core.TakeFlag, Set: core.SetFlag(core.In(main, func(m *mainConf) *core.Opt[bool] { return &m.saRestart }))},
		{Name: "rewrite_by_lua_no_postpone", In: core.InHTTP, Args: core.TakeFlag, Set: core.SetFlag(core.In(main, func(m *mainConf) *core.Opt[bool] { return &m.rewriteNoPostpone }))},
		{Name: "access_by_lua_no_postpone", In: core.InHTTP, Args: core.TakeFlag, Set: core.SetFlag(core.In(main, func(m *mainConf) *core.Opt[bool] { return &m.accessNoPostpone }))},
		{Name: "precontent_by_lua_no_postpone", In: core.InHTTP, Args: core.TakeFlag, Set: core.SetFlag(core.In(main, func(m *mainConf) *core.Opt[bool] { return &m.precontentNoPostpone }))},
		{Name: "lua_ssl_key_log", In: core.InHTTPSrvLoc, Args: core.Take1, Set: setKeyLog},
		{Name: "balancer_keepalive", In: core.InUpstream, Args: core.Take1, Set: setBalancerKeepalive},

		{Name: "lua_need_request_body", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.needBody })},
		{Name: "lua_http10_buffering", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.http10Buffering })},
		{Name: "lua_use_default_type", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.useDefaultType })},
		{Name: "lua_transform_underscores_in_response_headers", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.transformUnderscores })},
		{Name: "lua_check_client_abort", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.checkClientAbort })},
		{Name: "lua_upstream_skip_openssl_default_verify", In: core.InLocation | core.InLocationIf, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.skipVerify })},
		{Name: "lua_isolate_globals", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.isolateGlobals })},
		{Name: "lua_socket_connect_timeout", In: where, Args: core.Take1, Set: millis(func(l *locConf) *core.Opt[time.Duration] { return &l.socketConnectTimeout })},
		{Name: "lua_socket_send_timeout", In: where, Args: core.Take1, Set: millis(func(l *locConf) *core.Opt[time.Duration] { return &l.socketSendTimeout })},
		{Name: "lua_socket_read_timeout", In: where, Args: core.Take1, Set: millis(func(l *locConf) *core.Opt[time.Duration] { return &l.socketReadTimeout })},
		{Name: "lua_socket_keepalive_timeout", In: where, Args: core.Take1, Set: millis(func(l *locConf) *core.Opt[time.Duration] { return &l.socketKeepaliveTimeout })},
		{Name: "lua_socket_pool_size", In: where, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(l *locConf) *core.Opt[int] { return &l.socketPoolSize }))},
		{Name: "lua_socket_buffer_size", In: where, Args: core.Take1, Set: core.SetSize(core.In(loc, func(l *locConf) *core.Opt[int64] { return &l.socketBufferSize }))},
		{Name: "lua_socket_send_lowat", In: where, Args: core.Take1, Set: core.DiscardLowat("lua_socket_send_lowat")},
		{Name: "lua_socket_log_errors", In: where, Args: core.TakeFlag, Set: on(func(l *locConf) *core.Opt[bool] { return &l.socketLogErrors })},
	}, tlsclient.Directives(sslPrefix, func(c *core.Compiler) *tlsclient.Client { return &loc.At(c).ssl })...)
}

// setCodeCache reads lua_code_cache. Without the cache each request gets a Lua
// state of its own; compiled code cannot change under it.
func setCodeCache(c *core.Compiler, d *conf.Directive) error {
	set := core.SetFlag(core.In(loc, func(l *locConf) *core.Opt[bool] { return &l.codeCache }))
	if err := set(c, d); err != nil {
		return err
	}
	if !loc.At(c).codeCache.V && c.Opts.Log != nil {
		c.Opts.Log.Output(errlog.Alert, 0, d.Errorf("lua_code_cache is off; this will hurt performance").Error())
	}
	return nil
}

// setKeyLog reads lua_ssl_key_log. The file comes with the first handshake.
func setKeyLog(c *core.Compiler, d *conf.Directive) error {
	return loc.At(c).keyLog.Put(c.FullConfPath(d.Args[0]))
}

// setMallocTrim reads lua_malloc_trim, whose complaint has a form of its own.
func setMallocTrim(c *core.Compiler, d *conf.Directive) error {
	err := core.SetNumber(core.In(main, func(m *mainConf) *core.Opt[int] { return &m.mallocTrim }))(c, d)
	if err == core.ErrInvalidNumber {
		return core.ErrInvalidNumber + " in the 1st argument"
	}
	return err
}

// minDictSize is the least size of a shared dict, in bytes.
const minDictSize = 8191

func setSharedDict(c *core.Compiler, d *conf.Directive) error {
	name := d.Args[0]
	if name == "" {
		return fmt.Errorf("invalid lua shared dict name \"%s\"", name)
	}
	n, ok := ngxtext.ParseSize(d.Args[1], false)
	if !ok || n <= minDictSize {
		return fmt.Errorf("invalid lua shared dict size \"%s\"", d.Args[1])
	}
	for _, other := range main.At(c).sharedDicts {
		if other.Name == name {
			return fmt.Errorf("lua_shared_dict \"%s\" is already defined as \"%s\"", name, name)
		}
	}
	if _, err := c.Zone("lua_shared_dict", name, n); err != nil {
		return err
	}
	main.At(c).sharedDicts = append(main.At(c).sharedDicts, ngxshared.Dict{Name: name, Size: n})
	return nil
}

// phaseDirectives are the *_by_lua* directives in their three forms.
func phaseDirectives() []core.Directive {
	var list []core.Directive
	add := func(tag string, in core.Level, args int, set core.Setter) {
		n := core.Take0 << args
		list = append(list,
			core.Directive{Name: tag, In: in, Args: n, Set: set},
			core.Directive{Name: tag + "_file", In: in, Args: n, Set: set},
			core.Directive{Name: tag + "_block", In: in, Args: n>>1 | core.TakeBlock, Set: set})
	}
	add("init_by_lua", core.InHTTP, 1, setMain(func(m *mainConf) **handler { return &m.init }))
	add("init_worker_by_lua", core.InHTTP, 1, setMain(func(m *mainConf) **handler { return &m.initWorker }))
	add("exit_worker_by_lua", core.InHTTP, 1, setMain(func(m *mainConf) **handler { return &m.exitWorker }))
	add("server_rewrite_by_lua", core.InHTTP|core.InServer, 1, setPhase)
	add("rewrite_by_lua", core.InAnyLoc, 1, setPhase)
	add("access_by_lua", core.InAnyLoc, 1, setPhase)
	add("precontent_by_lua", core.InAnyLoc, 1, setPhase)
	add("content_by_lua", core.InLocation|core.InLocationIf, 1, setPhase)
	add("header_filter_by_lua", core.InAnyLoc, 1, setPhase)
	add("body_filter_by_lua", core.InAnyLoc, 1, setPhase)
	add("log_by_lua", core.InAnyLoc, 1, setPhase)
	add("balancer_by_lua", core.InUpstream, 1, setBalancer)
	add("ssl_client_hello_by_lua", core.InHTTP|core.InServer, 1, setPhase)
	add("ssl_certificate_by_lua", core.InHTTP|core.InServer, 1, setPhase)
	add("ssl_session_fetch_by_lua", core.InHTTP, 1, setPhase)
	add("ssl_session_store_by_lua", core.InHTTP, 1, setPhase)
	for _, tag := range []string{"proxy_ssl_certificate_by_lua", "proxy_ssl_verify_by_lua"} { // which have no inline form
		list = append(list,
			core.Directive{Name: tag + "_file", In: core.InLocation | core.InLocationIf, Args: core.Take1, Set: setPhase},
			core.Directive{Name: tag + "_block", In: core.InLocation | core.InLocationIf, Args: core.Take0 | core.TakeBlock, Set: setPhase})
	}
	more := core.TakeMore2
	list = append(list,
		core.Directive{Name: "set_by_lua", In: core.InRewrite, Args: more, Set: setSet},
		core.Directive{Name: "set_by_lua_file", In: core.InRewrite, Args: more, Set: setSet},
		core.Directive{Name: "set_by_lua_block", In: core.InRewrite, Args: core.Take1 | core.TakeBlock, Set: setSet})
	return list
}

// newHandler makes the handler of a directive, and gives it its place in the
// workers.
func newHandler(c *core.Compiler, d *conf.Directive) (*handler, error) {
	ref, err := chunkRefOf(d, c.Opts.Prefix)
	if err != nil {
		return nil, err
	}
	m := main.At(c)
	h := &handler{ref: ref, index: len(m.handlers)}
	if ref.HasVars {
		if h.path, err = c.Template(ref.Path); err != nil {
			return nil, err
		}
	} else {
		h.chunk = main.At(c).Chunks.Find(ref.Key)
		if h.chunk == nil && ref.Path != "" {
			h.chunk = fileChunk(c.Cycle, ref.Path)
		}
		if err := checkChunk(c, d, h); err != nil {
			return nil, err
		}
	}
	m.handlers = append(m.handlers, h)
	return h, nil
}

// checkChunk refuses code that is not part of this binary, and a file that is not what
// the binary has. A file that neither has is no error: requests for it are answered
// with 404.
func checkChunk(c *core.Compiler, d *conf.Directive, h *handler) error {
	ref := &h.ref
	switch {
	case h.chunk == nil && main.At(c).Chunks != nil && (ref.Path == "" || core.IsFile(ref.Path)):
		return fmt.Errorf("the Lua code of \"%s\" is not compiled into this binary %s, key %s", d.Name, sources.Rebuild, ref.Key)
	case h.chunk != nil && ref.Path != "":
		if err := main.At(c).Sources.Check(h.chunk, ref.Path); err != nil {
			return ref.staleError(fmt.Errorf("the Lua file \"%s\" %w", ref.Path, err))
		}
	}
	return nil
}

func setMain(field func(m *mainConf) **handler) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		h, err := newHandler(c, d)
		if err != nil {
			return err
		}
		f := field(main.At(c))
		if *f != nil {
			return core.ErrDuplicate
		}
		*f = h
		return nil
	}
}
