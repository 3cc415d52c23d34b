package phases

import rt "github.com/moonphase/moonphase/runtime"

// Phase names the point of a request's life (or of the server's) in which
// code runs. The order of the constants is the order of running for those
// that belong to a request.
type Phase uint8

const (
	PhaseNone Phase = iota
	PhaseInit
	PhaseInitWorker
	PhaseExitWorker
	PhaseSSLClientHello
	PhaseSSLSessionFetch
	PhaseSSLCert
	PhaseSSLSessionStore
	PhaseServerRewrite
	PhaseSet
	PhaseRewrite
	PhaseAccess
	PhasePrecontent
	PhaseContent
	PhaseBalancer
	PhaseHeaderFilter
	PhaseBodyFilter
	PhaseLog
	PhaseTimer
	numPhases
)

// phaseInfo is one row of the phase table.
type phaseInfo struct {
	name      string // what ngx.get_phase returns
	directive string // how "API disabled in the context of ..." names it
	tag       string // prefix of the chunk name and of the cache key
	yieldable bool   // Lua may wait (cosockets, sleep, subrequests)
}

// phaseTable gives what each phase is called and what it may do. The names
// are ngx_lua's (ngx_http_lua_util.h, ngx_http_lua_context_name).
var phaseTable = [numPhases]phaseInfo{
	PhaseNone:            {name: "", directive: "(unknown)"},
	PhaseInit:            {name: "init", directive: "init_by_lua*", tag: "init_by_lua"},
	PhaseInitWorker:      {name: "init_worker", directive: "init_worker_by_lua*", tag: "init_worker_by_lua"},
	PhaseExitWorker:      {name: "exit_worker", directive: "exit_worker_by_lua*", tag: "exit_worker_by_lua"},
	PhaseSSLClientHello:  {name: "ssl_client_hello", directive: "ssl_client_hello_by_lua*", tag: "ssl_client_hello_by_lua", yieldable: true},
	PhaseSSLSessionFetch: {name: "ssl_session_fetch", directive: "ssl_session_fetch_by_lua*", tag: "ssl_session_fetch_by_lua", yieldable: true},
	PhaseSSLCert:         {name: "ssl_cert", directive: "ssl_certificate_by_lua*", tag: "ssl_certificate_by_lua", yieldable: true},
	PhaseSSLSessionStore: {name: "ssl_session_store", directive: "ssl_session_store_by_lua*", tag: "ssl_session_store_by_lua"},
	PhaseServerRewrite:   {name: "server_rewrite", directive: "server_rewrite_by_lua*", tag: "server_rewrite_by_lua", yieldable: true},
	PhaseSet:             {name: "set", directive: "set_by_lua*", tag: "set_by_lua"},
	PhaseRewrite:         {name: "rewrite", directive: "rewrite_by_lua*", tag: "rewrite_by_lua", yieldable: true},
	PhaseAccess:          {name: "access", directive: "access_by_lua*", tag: "access_by_lua", yieldable: true},
	PhasePrecontent:      {name: "precontent", directive: "precontent_by_lua*", tag: "precontent_by_lua", yieldable: true},
	PhaseContent:         {name: "content", directive: "content_by_lua*", tag: "content_by_lua", yieldable: true},
	PhaseBalancer:        {name: "balancer", directive: "balancer_by_lua*", tag: "balancer_by_lua"},
	PhaseHeaderFilter:    {name: "header_filter", directive: "header_filter_by_lua*", tag: "header_filter_by_lua"},
	PhaseBodyFilter:      {name: "body_filter", directive: "body_filter_by_lua*", tag: "body_filter_by_lua"},
	PhaseLog:             {name: "log", directive: "log_by_lua*", tag: "log_by_lua"},
	PhaseTimer:           {name: "timer", directive: "ngx.timer", yieldable: true},
}

// String is the name ngx.get_phase gives.
func (p Phase) String() string { return phaseTable[p].name }

// Directive is how error texts name the phase: "log_by_lua*", "ngx.timer".
func (p Phase) Directive() string { return phaseTable[p].directive }

// CanYield reports whether Lua code may wait in this phase.
func (p Phase) CanYield() bool { return phaseTable[p].yieldable }

// coroutines says whose coroutine library Lua code sees in this phase: ngx_lua leaves
// LuaJIT's where no request is, and in the filters.
func (p Phase) coroutines() rt.CoroutineRules {
	switch {
	case p.CanYield():
		return rt.HandlerCoroutines
	case p == PhaseInit || p == PhaseHeaderFilter || p == PhaseBodyFilter:
		return rt.PlainCoroutines
	}
	return rt.NoCoroutines
}
