package lua

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxshared"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	"github.com/moonphase/moonphase/phases/shdict"
	rt "github.com/moonphase/moonphase/runtime"
)

// locConf is what the Lua module's directives say in a location.
type locConf struct {
	handlers [caller.NumPhases]*handler // by phase; the server's level holds server_rewrite

	codeCache            core.Opt[bool]
	needBody             core.Opt[bool]
	http10Buffering      core.Opt[bool]
	useDefaultType       core.Opt[bool]
	transformUnderscores core.Opt[bool]
	checkClientAbort     core.Opt[bool]
	isolateGlobals       core.Opt[bool] // lua_isolate_globals, which ngx_lua has not

	socketConnectTimeout   core.Opt[time.Duration]
	socketSendTimeout      core.Opt[time.Duration]
	socketReadTimeout      core.Opt[time.Duration]
	socketKeepaliveTimeout core.Opt[time.Duration]
	socketPoolSize         core.Opt[int]
	socketBufferSize       core.Opt[int64]
	socketLogErrors        core.Opt[bool]

	ssl    tlsclient.Client // lua_ssl_*
	keyLog core.Opt[string] // lua_ssl_key_log: a file

	skipVerify core.Opt[bool] // lua_upstream_skip_openssl_default_verify
}

var (
	main = core.NewMainSlot(mergeMain)
	loc  = core.NewLocSlot(mergeLoc)
)

func mergeLoc(l, outer *locConf, _ bool) {
	for p := range l.handlers {
		if l.handlers[p] == nil {
			l.handlers[p] = outer.handlers[p]
		}
	}
	l.codeCache.Merge(outer.codeCache, true)
	l.needBody.Merge(outer.needBody, false)
	l.http10Buffering.Merge(outer.http10Buffering, true)
	l.useDefaultType.Merge(outer.useDefaultType, true)
	l.transformUnderscores.Merge(outer.transformUnderscores, true)
	l.checkClientAbort.Merge(outer.checkClientAbort, false)
	l.isolateGlobals.Merge(outer.isolateGlobals, false)
	l.socketConnectTimeout.Merge(outer.socketConnectTimeout, time.Minute)
	l.socketSendTimeout.Merge(outer.socketSendTimeout, time.Minute)
	l.socketReadTimeout.Merge(outer.socketReadTimeout, time.Minute)
	l.socketKeepaliveTimeout.Merge(outer.socketKeepaliveTimeout, time.Minute)
	l.socketPoolSize.Merge(outer.socketPoolSize, 30)
	l.socketBufferSize.Merge(outer.socketBufferSize, 4096)
	l.socketLogErrors.Merge(outer.socketLogErrors, true)
	l.ssl.Merge(&outer.ssl)
	l.keyLog.Merge(outer.keyLog, "")
	l.skipVerify.Merge(outer.skipVerify, false)
}

// mainConf is what Lua is for the whole http block: what the directives say, the
// code, and the workers.
type mainConf struct {
	BinaryCode

	workers []*worker
	batons  *rt.BatonPool  // one a worker
	dicts   []*shdict.Dict // lua_shared_dict, in the order of the file
	// openState is openNgx. States made later, by requests, reach it through here, as
	// the functions it installs lead back to requests.
	openState func(*rt.State, *worker)

	sharedDicts          []ngxshared.Dict
	packagePath          core.Opt[string]
	packageCPath         core.Opt[string]
	maxPendingTimers     core.Opt[int]
	maxRunningTimers     core.Opt[int]
	regexCacheMaxEntries core.Opt[int]
	regexMatchLimit      core.Opt[int]
	threadCacheMax       core.Opt[int]
	workerThreadPool     core.Opt[int]
	mallocTrim           core.Opt[int]
	captureErrorLog      core.Opt[int64]
	loadRestyCore        core.Opt[bool]
	saRestart            core.Opt[bool]
	rewriteNoPostpone    core.Opt[bool]
	accessNoPostpone     core.Opt[bool]
	precontentNoPostpone core.Opt[bool]

	// captures: some handler could make a subrequest, so that responses pass
	// the filter that takes them in.
	captures   bool
	handlers   []*handler
	init       *handler
	initWorker *handler
	exitWorker *handler
}

func mergeMain(m, outer *mainConf, _ bool) {
	m.maxPendingTimers.Merge(outer.maxPendingTimers, 1024)
	m.maxRunningTimers.Merge(outer.maxRunningTimers, 256)
	m.regexCacheMaxEntries.Merge(outer.regexCacheMaxEntries, 1024)
	m.regexMatchLimit.Merge(outer.regexMatchLimit, 0)
	m.threadCacheMax.Merge(outer.threadCacheMax, 1024)
	m.workerThreadPool.Merge(outer.workerThreadPool, 10)
	m.mallocTrim.Merge(outer.mallocTrim, 1000)
	m.loadRestyCore.Merge(outer.loadRestyCore, true)
	m.saRestart.Merge(outer.saRestart, true)
}
