package caller

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
	PhaseProxySSLCert
	PhaseProxySSLVerify
	PhaseHeaderFilter
	PhaseBodyFilter
	PhaseLog
	PhaseTimer
	NumPhases
)

// phaseInfo is one row of the phase table.
type phaseInfo struct {
	name      string // what ngx.get_phase returns
	directive string // how "API disabled in the context of ..." names it
	tag       string // prefix of the chunk name and of the cache key
	raw       int    // what ngx.get_raw_phase returns
	variables bool   // there is a request whose variables a path may hold
	allows    Group
}

// Group is a set of groups of functions of the ngx table. Those of a group need the
// same of a phase.
type Group uint8

const (
	Output  Group = 1 << iota // write, end or leave a response that has not been sent
	Wait                      // wait: sleep, cosockets, light threads
	Exit                      // ngx.exit
	Capture                   // subrequests
	Jump                      // look for the location again
	Timer                     // new timers
	Abort                     // ngx.on_abort

	ofHandler = Output | Wait | Exit | Timer | Abort // of a request's handler
	alone     = Wait | Exit | Timer                  // without a request
	ofFilter  = Exit | Timer
)

// phaseTable gives what each phase is called and what it may do. The names and the
// numbers are ngx_lua's (ngx_http_lua_util.h, ngx_http_lua_context_name).
var phaseTable = [NumPhases]phaseInfo{
	PhaseNone:            {directive: "(unknown)"},
	PhaseInit:            {name: "init", directive: "init_by_lua*", tag: "init_by_lua", allows: Timer},
	PhaseInitWorker:      {name: "init_worker", directive: "init_worker_by_lua*", tag: "init_worker_by_lua", raw: 0x100, allows: Timer},
	PhaseExitWorker:      {name: "exit_worker", directive: "exit_worker_by_lua*", tag: "exit_worker_by_lua", raw: 0x2000},
	PhaseSSLClientHello:  {name: "ssl_client_hello", directive: "ssl_client_hello_by_lua*", tag: "ssl_client_hello_by_lua", raw: 0x4000, allows: alone},
	PhaseSSLSessionFetch: {name: "ssl_session_fetch", directive: "ssl_session_fetch_by_lua*", tag: "ssl_session_fetch_by_lua", raw: 0x1000, allows: alone},
	PhaseSSLCert:         {name: "ssl_cert", directive: "ssl_certificate_by_lua*", tag: "ssl_certificate_by_lua", raw: 0x400, allows: alone},
	PhaseSSLSessionStore: {name: "ssl_session_store", directive: "ssl_session_store_by_lua*", tag: "ssl_session_store_by_lua", raw: 0x800, allows: ofFilter},
	PhaseServerRewrite:   {name: "server_rewrite", directive: "server_rewrite_by_lua*", tag: "server_rewrite_by_lua", raw: 0x8000, variables: true, allows: ofHandler | Jump},
	PhaseSet:             {name: "set", directive: "set_by_lua*", tag: "set_by_lua", raw: 0x1, variables: true, allows: Timer},
	PhaseRewrite:         {name: "rewrite", directive: "rewrite_by_lua*", tag: "rewrite_by_lua", raw: 0x2, variables: true, allows: ofHandler | Capture | Jump},
	PhaseAccess:          {name: "access", directive: "access_by_lua*", tag: "access_by_lua", raw: 0x4, variables: true, allows: ofHandler | Capture},
	PhasePrecontent:      {name: "precontent", directive: "precontent_by_lua*", tag: "precontent_by_lua", variables: true, allows: ofHandler},
	PhaseContent:         {name: "content", directive: "content_by_lua*", tag: "content_by_lua", raw: 0x8, variables: true, allows: ofHandler | Capture},
	PhaseBalancer:        {name: "balancer", directive: "balancer_by_lua*", tag: "balancer_by_lua", raw: 0x200, allows: ofFilter},
	PhaseProxySSLCert:    {name: "proxy_ssl_cert", directive: "proxy_ssl_certificate_by_lua*", tag: "proxy_ssl_certificate_by_lua", allows: alone | Abort},
	PhaseProxySSLVerify:  {name: "proxy_ssl_verify", directive: "proxy_ssl_verify_by_lua*", tag: "proxy_ssl_verify_by_lua", allows: alone | Abort},
	PhaseHeaderFilter:    {name: "header_filter", directive: "header_filter_by_lua*", tag: "header_filter_by_lua", raw: 0x20, variables: true, allows: ofFilter},
	PhaseBodyFilter:      {name: "body_filter", directive: "body_filter_by_lua*", tag: "body_filter_by_lua", raw: 0x40, variables: true, allows: Timer},
	PhaseLog:             {name: "log", directive: "log_by_lua*", tag: "log_by_lua", raw: 0x10, variables: true, allows: Timer},
	PhaseTimer:           {name: "timer", directive: "ngx.timer", raw: 0x80, allows: alone},
}

// String is the name ngx.get_phase gives.
func (p Phase) String() string { return phaseTable[p].name }

// Tag is how the names of the phase's directives begin: "content_by_lua".
func (p Phase) Tag() string { return phaseTable[p].tag }

// Raw is the number that ngx.get_raw_phase gives.
func (p Phase) Raw() int { return phaseTable[p].raw }

// HasVariables tells whether there is a request whose variables a path may hold.
func (p Phase) HasVariables() bool { return phaseTable[p].variables }

// ByTag is the phase whose directives begin with a tag.
func ByTag(tag string) (Phase, bool) {
	for p := range phaseTable {
		if phaseTable[p].tag == tag {
			return Phase(p), true
		}
	}
	return 0, false
}

// Directive is how error texts name the phase: "log_by_lua*", "ngx.timer".
func (p Phase) Directive() string { return phaseTable[p].directive }

// Allows reports whether the functions of the groups may be called in this phase.
func (p Phase) Allows(g Group) bool { return phaseTable[p].allows&g == g }

// CanYield reports whether Lua code may wait in this phase.
func (p Phase) CanYield() bool { return p.Allows(Wait) }

// Coroutines says whose coroutine library Lua code sees in this phase: ngx_lua leaves
// LuaJIT's where no request is, and in the filters.
func (p Phase) Coroutines() rt.CoroutineRules {
	switch {
	case p.CanYield():
		return rt.HandlerCoroutines
	case p == PhaseInit || p == PhaseHeaderFilter || p == PhaseBodyFilter:
		return rt.PlainCoroutines
	}
	return rt.NoCoroutines
}
