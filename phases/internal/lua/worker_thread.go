package lua

import (
	"strconv"
	"strings"
	"sync"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/guard"
)

// vmPool is the Lua states in which a worker's ngx.run_worker_thread runs code.
type vmPool struct {
	mu    sync.Mutex
	idle  []*worker
	count int
}

// take gets a state that nobody uses, nil when there are too many.
func (p *vmPool) take(w *worker) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		vm := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return vm
	}
	if p.count >= main.Of(w.cycle).workerThreadPool.V {
		return nil
	}
	p.count++
	vm := newWorker(w.cycle, w.id, rt.NewBaton())
	main.Of(w.cycle).openState(vm.state, vm)
	setPackagePaths(w.cycle, vm.state)
	keepThreadAPI(vm.state)
	return vm
}

// threadAPI is what ngx offers in a worker thread: what needs neither a request nor
// the worker's event loop.
var threadAPI = strings.Fields(`config cookie_time crc32_long crc32_short decode_args decode_base64 encode_args
	encode_base64 get_phase get_raw_phase hmac_sha1 http_time localtime md5 md5_bin now parse_http_time
	quote_sql_str re sha1_bin shared time today update_time utctime`)

// keepThreadAPI gives a state that runs worker threads an ngx table with the
// functions that work there; its modules keep theirs.
func keepThreadAPI(st *rt.State) {
	all := st.Globals.GetStr("ngx").Table()
	kept := rt.NewTable(0, len(threadAPI))
	for _, name := range threadAPI {
		kept.SetStr(name, all.GetStr(name))
	}
	st.Globals.SetStr("ngx", rt.TableValue(kept))
	st.Globals.SetStr("ndk", rt.Nil)
}

func (p *vmPool) give(vm *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, vm)
}

// ngxRunWorkerThread is ngx.run_worker_thread(pool, module, function, ...): it calls
// the function in a Lua state of its own, beside the worker. Arguments and results
// are copied.
func ngxRunWorkerThread(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	c := gate(th, caller.Wait, caller.NoRequest)
	no := func(message string) (rt.Value, int) { return th.Return2(rt.False, rt.String(message)) }
	if len(args) < 3 {
		return no("expecting at least 3 arguments")
	}
	for i, what := range []string{"threadpool", "module name", "function name"} {
		if !args[i].IsString() && !args[i].IsNumber() {
			return no(what + " should be a string")
		}
		if i == 0 && c.worker.cycle.ThreadPools[lib.Text(th, args[0])] == nil {
			return no("thread pool " + lib.Text(th, args[0]) + " not found")
		}
	}
	pool := c.worker.cycle.ThreadPools[lib.Text(th, args[0])]
	call := workerCall{module: lib.Text(th, args[1]), function: lib.Text(th, args[2])}
	for _, v := range args[3:] {
		copied, err := copyValue(v, 1)
		if err != "" {
			return no(err + " in the argument")
		}
		call.args = append(call.args, copied)
	}
	vms := &apiOf(th).vms
	vm := vms.take(c.worker)
	if vm == nil {
		return no("no available Lua vm")
	}
	done, killed := make(chan struct{}), make(chan struct{})
	guard.Go(func() {
		defer close(done)
		pool.Threads <- struct{}{}
		call.run(vm)
		<-pool.Threads
		vms.give(vm)
	})
	th.Block(func() { close(killed) }, func() {
		select {
		case <-done:
		case <-killed: // nobody takes the results
		}
	})
	if call.err != "" {
		return no(call.err)
	}
	return th.ReturnList(append([]rt.Value{rt.True}, call.results...))
}

// workerCall is one call in another state.
type workerCall struct {
	module, function string
	args             []rt.Value
	results          []rt.Value
	err              string
}

// run makes the call; nobody else uses vm meanwhile.
func (call *workerCall) run(vm *worker) {
	th := vm.state.NewThread()
	ctx := newCtx(vm, caller.PhaseInit)
	th.Host = &ctx
	loaded, err := th.PCall(vm.state.Globals.GetStr("require"), rt.String(call.module))
	if err != nil {
		call.err = err.Error()
		return
	}
	if len(loaded) == 0 || !loaded[0].IsTable() {
		call.err = "invalid lua module"
		return
	}
	f := loaded[0].Table().GetStr(call.function)
	if !f.IsFunction() {
		call.err = "invalid function"
		return
	}
	results, err := th.PCall(f, call.args...)
	if err != nil {
		call.err = err.Error()
		return
	}
	for _, v := range results {
		copied, err := copyValue(v, 1)
		if err != "" {
			call.err = err + " in the return value"
			return
		}
		call.results = append(call.results, copied)
	}
}

// maxCopyDepth is how deep a copied table may nest.
const maxCopyDepth = 100

// copyValue copies a value for another Lua state; message says why it cannot be
// copied.
func copyValue(v rt.Value, depth int) (copied rt.Value, message string) {
	switch {
	case v.IsString(), v.IsNumber(), v.IsBool(), v.IsNil(), v.IsLight():
		return v, ""
	case v.IsFunction():
		return rt.Nil, "unsupported Lua type: LUA_TFUNCTION"
	case v.IsUserdata():
		return rt.Nil, "unsupported Lua type: LUA_TUSERDATA"
	case v.IsThread():
		return rt.Nil, "unsupported Lua type: LUA_TTHREAD"
	case !v.IsTable():
		return rt.Nil, "unsupported Lua type"
	case depth > maxCopyDepth:
		return rt.Nil, "suspicious circular references, table depth exceed max depth: " + strconv.Itoa(maxCopyDepth)
	}
	t := v.Table()
	out := rt.NewTable(t.Len(), 0)
	for k, e, _ := t.Next(rt.Nil); !k.IsNil(); k, e, _ = t.Next(k) {
		key, message := copyValue(k, depth+1)
		if message != "" {
			return rt.Nil, message
		}
		value, message := copyValue(e, depth+1)
		if message != "" {
			return rt.Nil, message
		}
		out.Set(key, value)
	}
	return rt.TableValue(out), ""
}
