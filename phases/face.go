package phases

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/serve"
	rt "github.com/moonphase/moonphase/runtime"
)

// Main is the whole server program: it reads nginx's command line from args
// (without the program's name), serves the configuration with the Lua code of b and
// returns the exit code.
func Main(args []string, b Binary) int {
	code := lua.BinaryCode{Chunks: b.Chunks, Sources: sources.New(b)}
	return serve.Main(args, serve.Program{
		Version: b.Version, Modules: modules.All(), Prepare: code.Prepare, Without: b.Without, Map: b.Map,
	})
}

// NewHandler makes the phases an http.Handler, for programs that bring their
// own net/http server. Each request goes through the same connection loop,
// phases and filters as in a server that moonphase built; headers arrive in
// net/http's order and spelling. Closing the handler ends its workers.
//
// The error is that of a bad configuration, or of init_by_lua.
func NewHandler(chunks rt.ChunkSet, config HandlerConfig) (*Handler, error) {
	return serve.NewHandler(config, serve.Program{Modules: modules.All(), Prepare: lua.BinaryCode{Chunks: chunks}.Prepare})
}

// Exec is the whole program of a plain script: it runs the chunk with the
// given cache key to its end in one worker without requests, where cosockets,
// light threads and timers work as under OpenResty's resty command. The global
// arg holds args, and script at 0. It returns the exit code: 0, or 1 after an
// uncaught error, which goes to the standard error with its traceback.
func Exec(chunks rt.ChunkSet, key, script string, args []string) int {
	serve.TuneCollector()
	return lua.ExecScript(modules.All(), chunks, key, script, args)
}

// NativeModules lists, sorted, the modules that require finds without a Lua
// file: the libraries of the runtime and of ngx, as a fresh worker has them.
func NativeModules() ([]string, error) { return lua.NativeModules(modules.All()) }

// APINames lists, sorted, what scripts find below ngx and in the native modules of ngx and resty.
func APINames() ([]string, error) { return lua.APINames(modules.All()) }

// Compile gives the directives their meaning, with all modules. The error of a bad
// configuration is a *conf.Error with nginx's text and place.
func Compile(tree []*conf.Directive, opts CompileOptions) (*core.Cycle, error) {
	opts.Modules = modules.All()
	return core.Compile(tree, opts)
}
