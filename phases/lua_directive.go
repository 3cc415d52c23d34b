package phases

import (
	"fmt"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

const luaSSL = "lua_ssl_"

func luaDirectives() []directive {
	const where = inAnyLoc
	millis := func(f func(l *luaConf) *opt[time.Duration]) setter { return duration(in(luaLoc, f)) }
	on := func(f func(l *luaConf) *opt[bool]) setter { return onOff(in(luaLoc, f)) }
	return append([]directive{
		{"lua_package_path", inHTTP, take1, text(in(luaMain, func(m *luaMainConf) *opt[string] { return &m.packagePath }))},
		{"lua_package_cpath", inHTTP, take1, text(in(luaMain, func(m *luaMainConf) *opt[string] { return &m.packageCPath }))},
		{"lua_shared_dict", inHTTP, take2, setSharedDict},
		{"lua_code_cache", where, takeFlag, setCodeCache},
		{"lua_max_pending_timers", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.maxPendingTimers }))},
		{"lua_max_running_timers", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.maxRunningTimers }))},
		{"lua_regex_cache_max_entries", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.regexCacheMaxEntries }))},
		{"lua_regex_match_limit", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.regexMatchLimit }))},
		{"lua_thread_cache_max_entries", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.threadCacheMax }))},
		{"lua_worker_thread_vm_pool_size", inHTTP, take1, number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.workerThreadPool }))},
		{"lua_malloc_trim", inHTTP, take1, setMallocTrim},
		{"lua_capture_error_log", inHTTP, take1, size(in(luaMain, func(m *luaMainConf) *opt[int64] { return &m.captureErrorLog }))},
		{"lua_load_resty_core", inHTTP, takeFlag, onOff(in(luaMain, func(m *luaMainConf) *opt[bool] { return &m.loadRestyCore }))},
		{"lua_sa_restart", inHTTP, takeFlag, onOff(in(luaMain, func(m *luaMainConf) *opt[bool] { return &m.saRestart }))},
		{"rewrite_by_lua_no_postpone", inHTTP, takeFlag, onOff(in(luaMain, func(m *luaMainConf) *opt[bool] { return &m.rewriteNoPostpone }))},
		{"access_by_lua_no_postpone", inHTTP, takeFlag, onOff(in(luaMain, func(m *luaMainConf) *opt[bool] { return &m.accessNoPostpone }))},

		{"lua_need_request_body", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.needBody })},
		{"lua_http10_buffering", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.http10Buffering })},
		{"lua_use_default_type", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.useDefaultType })},
		{"lua_transform_underscores_in_response_headers", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.transformUnderscores })},
		{"lua_check_client_abort", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.checkClientAbort })},
		{"lua_isolate_globals", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.isolateGlobals })},
		{"lua_socket_connect_timeout", where, take1, millis(func(l *luaConf) *opt[time.Duration] { return &l.socketConnectTimeout })},
		{"lua_socket_send_timeout", where, take1, millis(func(l *luaConf) *opt[time.Duration] { return &l.socketSendTimeout })},
		{"lua_socket_read_timeout", where, take1, millis(func(l *luaConf) *opt[time.Duration] { return &l.socketReadTimeout })},
		{"lua_socket_keepalive_timeout", where, take1, millis(func(l *luaConf) *opt[time.Duration] { return &l.socketKeepaliveTimeout })},
		{"lua_socket_pool_size", where, take1, number(in(luaLoc, func(l *luaConf) *opt[int] { return &l.socketPoolSize }))},
		{"lua_socket_buffer_size", where, take1, size(in(luaLoc, func(l *luaConf) *opt[int64] { return &l.socketBufferSize }))},
		{"lua_socket_send_lowat", where, take1, discardLowat("lua_socket_send_lowat")},
		{"lua_socket_log_errors", where, takeFlag, on(func(l *luaConf) *opt[bool] { return &l.socketLogErrors })},
	}, tlsClientDirectives(luaSSL, func(c *compiler) *tlsClient { return &luaLoc.at(c).ssl })...)
}

// path stores a file name, from the folder of the configuration file.
func path(field func(c *compiler) *opt[string]) setter {
	return func(c *compiler, d *conf.Directive) error { return field(c).put(c.fullConfPath(d.Args[0])) }
}

// setCodeCache reads lua_code_cache. Without the cache each request gets a Lua
// state of its own; compiled code cannot change under it.
func setCodeCache(c *compiler, d *conf.Directive) error {
	set := onOff(in(luaLoc, func(l *luaConf) *opt[bool] { return &l.codeCache }))
	if err := set(c, d); err != nil {
		return err
	}
	if !luaLoc.at(c).codeCache.v && c.opts.Log != nil {
		c.opts.Log.Output(errlog.Alert, 0, d.Errorf("lua_code_cache is off; this will hurt performance").Error())
	}
	return nil
}

// setMallocTrim reads lua_malloc_trim, whose complaint has a form of its own.
func setMallocTrim(c *compiler, d *conf.Directive) error {
	err := number(in(luaMain, func(m *luaMainConf) *opt[int] { return &m.mallocTrim }))(c, d)
	if err == errInvalidNumber {
		return errInvalidNumber + " in the 1st argument"
	}
	return err
}

// minDictSize is the least size of a shared dict, in bytes.
const minDictSize = 8191

func setSharedDict(c *compiler, d *conf.Directive) error {
	name := d.Args[0]
	if name == "" {
		return fmt.Errorf("invalid lua shared dict name \"%s\"", name)
	}
	n, ok := parseSize(d.Args[1], false)
	if !ok || n <= minDictSize {
		return fmt.Errorf("invalid lua shared dict size \"%s\"", d.Args[1])
	}
	for _, other := range luaMain.at(c).SharedDicts {
		if other.Name == name {
			return fmt.Errorf("lua_shared_dict \"%s\" is already defined as \"%s\"", name, name)
		}
	}
	luaMain.at(c).SharedDicts = append(luaMain.at(c).SharedDicts, SharedDict{Name: name, Size: n})
	return nil
}

// luaPhaseDirectives are the *_by_lua* directives in their three forms.
func luaPhaseDirectives() []directive {
	var list []directive
	add := func(tag string, in level, args int, set setter) {
		n := take0 << args
		list = append(list,
			directive{tag, in, n, set},
			directive{tag + "_file", in, n, set},
			directive{tag + "_block", in, n>>1 | takeBlock, set})
	}
	add("init_by_lua", inHTTP, 1, setLuaMain(func(m *luaMainConf) **luaHandler { return &m.init }))
	add("init_worker_by_lua", inHTTP, 1, setLuaMain(func(m *luaMainConf) **luaHandler { return &m.initWorker }))
	add("exit_worker_by_lua", inHTTP, 1, setLuaMain(func(m *luaMainConf) **luaHandler { return &m.exitWorker }))
	add("server_rewrite_by_lua", inHTTP|inServer, 1, setLuaPhase)
	add("rewrite_by_lua", inAnyLoc, 1, setLuaPhase)
	add("access_by_lua", inAnyLoc, 1, setLuaPhase)
	add("precontent_by_lua", inAnyLoc, 1, setLuaPhase)
	add("content_by_lua", inLocation|inLocationIf, 1, setLuaPhase)
	add("header_filter_by_lua", inAnyLoc, 1, setLuaPhase)
	add("body_filter_by_lua", inAnyLoc, 1, setLuaPhase)
	add("log_by_lua", inAnyLoc, 1, setLuaPhase)
	add("balancer_by_lua", inUpstream, 1, setLuaBalancer)
	add("ssl_client_hello_by_lua", inHTTP|inServer, 1, setLuaPhase)
	add("ssl_certificate_by_lua", inHTTP|inServer, 1, setLuaPhase)
	add("ssl_session_fetch_by_lua", inHTTP, 1, setLuaPhase)
	add("ssl_session_store_by_lua", inHTTP, 1, setLuaPhase)
	more := takeMore2
	list = append(list,
		directive{"set_by_lua", inRewrite, more, setLuaSet},
		directive{"set_by_lua_file", inRewrite, more, setLuaSet},
		directive{"set_by_lua_block", inRewrite, take1 | takeBlock, setLuaSet})
	return list
}

// luaHandler makes the handler of a directive, and gives it its place in the
// workers.
func newLuaHandler(c *compiler, d *conf.Directive) (*luaHandler, error) {
	ref, err := chunkRefOf(d, c.opts.Prefix)
	if err != nil {
		return nil, err
	}
	m := luaMain.at(c)
	h := &luaHandler{ref: ref, index: len(m.handlers)}
	if ref.HasVars {
		if h.path, err = c.template(ref.Path); err != nil {
			return nil, err
		}
	} else {
		h.chunk = luaMain.at(c).chunks.Find(ref.Key)
		if h.chunk == nil && ref.Path != "" {
			h.chunk = fileChunk(c.cycle, ref.Path)
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
func checkChunk(c *compiler, d *conf.Directive, h *luaHandler) error {
	ref := &h.ref
	switch {
	case h.chunk == nil && luaMain.at(c).chunks != nil && (ref.Path == "" || isFile(ref.Path)):
		return fmt.Errorf("the Lua code of \"%s\" is not compiled into this binary %s, key %s", d.Name, rebuild, ref.Key)
	case h.chunk != nil && ref.Path != "":
		if err := luaMain.at(c).sources.check(h.chunk, ref.Path); err != nil {
			return ref.staleError(fmt.Errorf("the Lua file \"%s\" %w", ref.Path, err))
		}
	}
	return nil
}

func setLuaMain(field func(m *luaMainConf) **luaHandler) setter {
	return func(c *compiler, d *conf.Directive) error {
		h, err := newLuaHandler(c, d)
		if err != nil {
			return err
		}
		f := field(luaMain.at(c))
		if *f != nil {
			return errDuplicate
		}
		*f = h
		return nil
	}
}
