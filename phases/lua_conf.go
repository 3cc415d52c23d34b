package phases

import (
	"time"

	"github.com/moonphase/moonphase/phases/shdict"
	rt "github.com/moonphase/moonphase/runtime"
)

// luaConf is what the Lua module's directives say in a location.
type luaConf struct {
	handlers [numPhases]*luaHandler // by phase; the server's level holds server_rewrite

	codeCache            opt[bool]
	needBody             opt[bool]
	http10Buffering      opt[bool]
	useDefaultType       opt[bool]
	transformUnderscores opt[bool]
	checkClientAbort     opt[bool]
	isolateGlobals       opt[bool] // lua_isolate_globals, which ngx_lua has not

	socketConnectTimeout   opt[time.Duration]
	socketSendTimeout      opt[time.Duration]
	socketReadTimeout      opt[time.Duration]
	socketKeepaliveTimeout opt[time.Duration]
	socketPoolSize         opt[int]
	socketBufferSize       opt[int64]
	socketLogErrors        opt[bool]

	ssl tlsClient // lua_ssl_*
}

var (
	luaMain = newMainSlot(mergeLuaMain)
	luaLoc  = newLocSlot(mergeLua)
)

func mergeLua(l, outer *luaConf, _ bool) {
	for p := range l.handlers {
		if l.handlers[p] == nil {
			l.handlers[p] = outer.handlers[p]
		}
	}
	l.codeCache.merge(outer.codeCache, true)
	l.needBody.merge(outer.needBody, false)
	l.http10Buffering.merge(outer.http10Buffering, true)
	l.useDefaultType.merge(outer.useDefaultType, true)
	l.transformUnderscores.merge(outer.transformUnderscores, true)
	l.checkClientAbort.merge(outer.checkClientAbort, false)
	l.isolateGlobals.merge(outer.isolateGlobals, false)
	l.socketConnectTimeout.merge(outer.socketConnectTimeout, time.Minute)
	l.socketSendTimeout.merge(outer.socketSendTimeout, time.Minute)
	l.socketReadTimeout.merge(outer.socketReadTimeout, time.Minute)
	l.socketKeepaliveTimeout.merge(outer.socketKeepaliveTimeout, time.Minute)
	l.socketPoolSize.merge(outer.socketPoolSize, 30)
	l.socketBufferSize.merge(outer.socketBufferSize, 4096)
	l.socketLogErrors.merge(outer.socketLogErrors, true)
	l.ssl.merge(&outer.ssl)
}

// luaMainConf is what Lua is for the whole http block: what the directives say, the
// code, and the workers.
type luaMainConf struct {
	luaCode

	workers []*Worker
	batons  *rt.BatonPool  // one a worker
	dicts   []*shdict.Dict // lua_shared_dict, in the order of the file
	// openState is OpenNgx. States made later, by requests, reach it through here, as
	// the functions it installs lead back to requests.
	openState func(*rt.State, *Worker)

	SharedDicts          []SharedDict
	packagePath          opt[string]
	packageCPath         opt[string]
	maxPendingTimers     opt[int]
	maxRunningTimers     opt[int]
	regexCacheMaxEntries opt[int]
	regexMatchLimit      opt[int]
	threadCacheMax       opt[int]
	workerThreadPool     opt[int]
	mallocTrim           opt[int]
	captureErrorLog      opt[int64]
	loadRestyCore        opt[bool]
	saRestart            opt[bool]
	rewriteNoPostpone    opt[bool]
	accessNoPostpone     opt[bool]

	// captures: some handler could make a subrequest, so that responses pass
	// the filter that takes them in.
	captures   bool
	handlers   []*luaHandler
	init       *luaHandler
	initWorker *luaHandler
	exitWorker *luaHandler
}

// SharedDict is one lua_shared_dict.
type SharedDict struct {
	Name string
	Size int64
}

func mergeLuaMain(m, outer *luaMainConf, _ bool) {
	m.maxPendingTimers.merge(outer.maxPendingTimers, 1024)
	m.maxRunningTimers.merge(outer.maxRunningTimers, 256)
	m.regexCacheMaxEntries.merge(outer.regexCacheMaxEntries, 1024)
	m.regexMatchLimit.merge(outer.regexMatchLimit, 0)
	m.threadCacheMax.merge(outer.threadCacheMax, 1024)
	m.workerThreadPool.merge(outer.workerThreadPool, 10)
	m.mallocTrim.merge(outer.mallocTrim, 1000)
	m.loadRestyCore.merge(outer.loadRestyCore, true)
	m.saRestart.merge(outer.saRestart, true)
}
