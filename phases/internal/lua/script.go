package lua

import (
	"bufio"
	"fmt"
	"os"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
)

// ExecScript runs the chunk with a key as a plain script, outside a server, to its end
// and returns the exit code.
func ExecScript(modules []*core.Module, chunks rt.ChunkSet, key, script string, args []string) int {
	w, err := scriptWorker(modules, chunks)
	if err != nil {
		return execFailed(err.Error())
	}
	defer w.state.Close()
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice == 0 {
		out := bufio.NewWriterSize(os.Stdout, 64<<10)
		defer func() { _ = out.Flush() }()
		w.state.Stdout = out
	}
	chunk := w.state.Chunk(key)
	if chunk == nil {
		return execFailed(fmt.Sprintf("%s is not among the compiled chunks", script))
	}
	// Servers log what is printed and warn of new globals; a script's output and
	// globals are its own.
	w.state.Globals.SetMeta(nil)
	w.state.Loaded.GetStr("package").Table().SetStr("path", rt.String(DefaultScriptPath()))
	w.state.Globals.SetStr("print", rt.NewGoFunction("print", rt.Print))
	arg := rt.NewTable(len(args), 1)
	arg.Set(rt.Int(0), rt.String(script))
	values := make([]rt.Value, len(args))
	for i, a := range args {
		values[i] = rt.String(a)
		arg.SetInt(i+1, values[i])
	}
	w.state.Globals.SetStr("arg", rt.TableValue(arg))

	w.baton.Acquire()
	defer w.baton.Release()
	if chunk.Err != "" {
		return execFailed(w.state.ChunkError(chunk))
	}
	run := &entryRun{thread: w.state.NewThread(), ctx: newCtx(w, caller.PhaseTimer)}
	run.thread.Host = &run.ctx
	fn := w.state.Load(chunk, "")
	_, failure, abort := run.enter(fn, values)
	switch exit, isExit := abort.(exitAbort); {
	case failure != nil:
		return scriptFailed(run.thread, failure)
	case isExit:
		return exit.code
	case abort != nil:
		return execFailed(abort.Error())
	}
	return 0
}

// scriptWorker makes the only worker of a server without addresses.
func scriptWorker(modules []*core.Module, chunks rt.ChunkSet) (*worker, error) {
	return lonelyWorker(modules, chunks, "events {} http {}")
}

// lonelyWorker is scriptWorker with a configuration.
func lonelyWorker(modules []*core.Module, chunks rt.ChunkSet, text string) (*worker, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	tree, err := conf.Parse("", dir, []byte(text))
	if err != nil {
		return nil, err
	}
	logs := errlog.NewFiles()
	logs.LeaveConsole()
	log := logs.NewFile(errlog.StderrPath, errlog.Warn)
	cycle, err := core.Compile(tree.Directives, core.CompileOptions{Prefix: dir + "/", Log: log, Logs: logs, Modules: modules,
		Prepare: BinaryCode{Chunks: chunks}.Prepare})
	if err != nil {
		return nil, err
	}
	cycle.Log = log
	if err := cycle.Start(); err != nil {
		return nil, err
	}
	return main.Of(cycle).workers[0], nil
}

// scriptFailed reports an error that the script did not catch as the command
// luajit does: nothing for nil, no traceback for an object without __tostring.
func scriptFailed(th *rt.Thread, e *rt.Error) int {
	if e.Value.IsNil() {
		return 1
	}
	text, ok := th.ErrorText(e)
	if !ok {
		return execFailed("(error object is not a string)")
	}
	return execFailed(text + "\n" + e.Traceback)
}

func execFailed(message string) int {
	fmt.Fprintf(os.Stderr, "moonphase: %s\n", message)
	return 1
}

// NativeModules lists, sorted, what require finds without a Lua file.
func NativeModules(modules []*core.Module) ([]string, error) {
	w, err := scriptWorker(modules, nil)
	if err != nil {
		return nil, err
	}
	return w.state.NativeModules(), nil
}

// DefaultScriptPath is package.path of a plain script: LuaJIT's own, or what LUA_PATH
// says.
func DefaultScriptPath() string { return rt.DefaultPath() }
