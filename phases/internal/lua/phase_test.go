package lua

import (
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/transpile"
)

// apiArgs are the arguments of functions that judge some before the phase. What comes
// behind the judgement of the phase shall fail: nothing is to happen.
var apiArgs = map[string]string{
	"exec": "/..", "redirect": "\x01", "exit": "x", "sleep": "0",
	"set_uri": "/x", "set_uri_args": "x", "set_header": "a b", "clear_header": "a",
	"set_method": "0", "append_body": "x", "set_body_data": "x", "set_body_file": "/dev/null/x",
	"add_header": "a b",
}

// apiFields are what tables make up on the spot.
var apiFields = append(madeUp, "ngx.var.uri")

// TestPhaseGroups asks every function of the ngx table, in every phase, whether the
// phase allows it, and compares with what `moonphase vet` says of a call of it.
func TestPhaseGroups(t *testing.T) {
	w := apiWorker(t)
	names := append(apiNames(w.state.Globals.GetStr("ngx").Table(), "ngx."), apiFields...)
	sort.Strings(names)
	if len(names) < 90 {
		t.Fatalf("only %d names: %v", len(names), names)
	}
	for p := caller.PhaseInit; p < caller.NumPhases; p++ {
		refused := vetRefuses(t, p, names)
		for _, name := range names {
			text := askPhase(w, p, name)
			got := strings.Contains(text, "API disabled in the c") || strings.HasPrefix(text, "no request") || text == noBodyRequest || strings.HasSuffix(text, ": "+caller.NoRequest)
			if p == caller.PhaseInit && name == "ngx.get_raw_phase" {
				continue // its argument is a request, which init_by_lua cannot have
			}
			if got != refused[name] {
				t.Errorf("%s in %s: vet refuses it: %v, the server says %q", name, p.Directive(), refused[name], text)
			}
		}
	}
}

// apiNames lists the functions of a table and of those in it.
func apiNames(t *rt.Table, prefix string) (names []string) {
	for k, v, _ := t.Next(rt.Nil); !k.IsNil(); k, v, _ = t.Next(k) {
		switch {
		case !k.IsString():
		case v.IsFunction():
			names = append(names, prefix+k.Str())
		case v.IsTable() && prefix == "ngx.":
			names = append(names, apiNames(v.Table(), prefix+k.Str()+".")...)
		}
	}
	return names
}

// apiWorker is a Lua state of a server that is not served.
func apiWorker(t *testing.T) *worker {
	t.Helper()
	tree, err := conf.Parse("", t.TempDir(), []byte(`events {} http { server { listen 127.0.0.1:1;
		lua_check_client_abort on; client_body_temp_path /dev/null/x; location / { content_by_lua_block { x } } } }`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.Compile(tree.Directives, core.CompileOptions{Prefix: t.TempDir() + "/", Modules: []*core.Module{tlsclient.Module, ssl.Module, Module}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return main.Of(c).workers[0]
}

// vetRefuses uses each name in a chunk that the phase's directive runs, or in a timer,
// and gives those that vet says are refused there.
func vetRefuses(t *testing.T, p caller.Phase, names []string) map[string]bool {
	t.Helper()
	directive, begin, end := p.Tag(), "", ""
	if p == caller.PhaseTimer {
		directive, begin, end = "init_worker_by_lua", "ngx.timer.at(0, function() ", " end)"
	}
	var program transpile.VetProgram
	for _, name := range names {
		use := name + "()"
		if slices.Contains(apiFields, name) {
			use = "local _ = " + name
		}
		program.Chunks = append(program.Chunks, transpile.VetInput{
			Source: []byte(begin + use + end), Directives: []string{directive}, File: name, Line: 1, Col: 1,
		})
	}
	refused := map[string]bool{}
	for _, d := range transpile.Vet(program) {
		switch d.Code {
		case "L3003":
			refused[d.File] = refused[d.File] || strings.HasPrefix(d.File, strings.TrimSuffix(d.Msg, " is refused in "+p.Directive()))
		case "L3005":
			t.Errorf("vet does not know %s", d.File)
		}
	}
	return refused
}

// askPhase calls a function, or reads a field, in a phase, and gives the error's text.
func askPhase(w *worker, p caller.Phase, name string) (text string) {
	run := &entryRun{thread: w.state.NewThread(), ctx: newCtx(w, p)}
	if p.HasVariables() || p == caller.PhaseBalancer || p == caller.PhaseProxySSLCert || p == caller.PhaseProxySSLVerify {
		r := w.cycle.NewRequest(nil, w.cycle.Listens[0])
		r.Main, r.Loc = r, r.Server.Loc
		r.Body.Read = true
		run.ctx.Request = r
	}
	w.baton.Acquire()
	defer w.baton.Release()
	path := strings.Split(name, ".")
	ask := rt.NewGoFunction("ask", func(th *rt.Thread, _ []rt.Value) (rt.Value, int) {
		v := w.state.Globals.GetStr(path[0])
		for _, key := range path[1:] {
			v = rt.Index(th, v, rt.String(key), "")
		}
		if v.IsFunction() {
			rt.CallList(th, v, "", argsOf(w.state, path[len(path)-1]))
		}
		return rt.Nil, 0
	})
	_, err, abort := run.call(ask)
	switch {
	case err != nil:
		return errorText(err)
	case abort != nil: // it went on, perhaps without what it needs
		return abort.Error()
	}
	return ""
}

func argsOf(st *rt.State, function string) (args []rt.Value) {
	f := st.Load(&rt.Chunk{Main: func(*rt.Thread, *rt.Env, []rt.Value) (rt.Value, int) { return rt.Nil, 0 }}, "=f")
	switch function {
	case "capture":
		return []rt.Value{rt.TableValue(rt.NewTable(0, 0))}
	case "capture_multi":
		return []rt.Value{rt.NewArray(rt.Int(1))}
	case "spawn", "on_abort":
		return []rt.Value{f}
	case "at", "every":
		return []rt.Value{rt.Number(1e6), f}
	}
	for _, word := range strings.Fields(apiArgs[function]) {
		args = append(args, rt.String(word))
	}
	return args
}
