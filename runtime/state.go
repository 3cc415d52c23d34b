package runtime

import (
	"runtime/debug"
	"sync"

	"github.com/moonphase/moonphase/runtime/guard"
)

// State is a Lua state: globals, loaded modules, type metatables. A worker has
// one; only the goroutine that holds the worker's baton may touch it.
type State struct {
	Globals *Table // _G
	Loaded  *Table // package.loaded
	Preload *Table // package.preload

	// Stdout is where print writes; os.Stdout when nil.
	Stdout Writer

	// Host is what the embedding program attaches to the state.
	Host any

	// Defect learns of panics of Go code below Lua code, which sees them as errors; nil
	// for the default of guard.ReportTo.
	Defect func(*Thread, *guard.Defect)

	// Baton is the right to run in this state.
	Baton *Baton

	main        *Thread
	typeMeta    [numTypes]*Table
	chunks      chunkTable
	patterns    patternCache
	captures    [maxCaptures]capture // of the match that runs
	random      prng
	registry    *Table // debug.getregistry
	isolation   *Table // metatable of the environments that Isolated makes
	jitDisabled bool   // by jit.off
	io          ioState
	gc          gcState
	pkg         *Table                         // package
	natives     map[string]func(*Thread) Value // native modules that require finds
	checkModule func(*Chunk) error             // see Options
	engine      *Engine
}

// Writer is the part of io.Writer that print needs.
type Writer interface {
	Write(p []byte) (int, error)
}

// Options configures NewState.
type Options struct {
	Chunks ChunkSet // what require, loadfile and dofile find
	Stdout Writer   // where print writes; os.Stdout when nil
	Host   any
	Baton  *Baton  // of the worker; one of its own when nil
	Engine *Engine // the LuaJIT that is spoken; that of Debian when nil
	// CheckModule is asked before require loads a module; its error is raised.
	CheckModule func(*Chunk) error
}

// Engine is a release of LuaJIT, as far as scripts can tell one from another.
type Engine struct {
	Version string // jit.version
	Number  int    // jit.version_num
	// Lua52 is LuaJIT's build switch of that name: package.searchers and the user values
	// of debug are there, and the error of a <= b and a >= b names b's type first.
	Lua52 bool
}

var debianEngine = Engine{Version: "LuaJIT 2.1.0-beta3", Number: 20100}

// maxGoStack is the limit of one goroutine's stack in bytes. maxDepth counts
// weights (see Enter); a unit of weight is a frame of at most 64 KiB.
const maxGoStack = 2 << 30

var raiseStackLimit = sync.OnceFunc(func() { debug.SetMaxStack(maxGoStack) })

// NewState returns a state with the standard libraries.
func NewState(opts Options) *State {
	raiseStackLimit()
	st := &State{
		Globals: NewTable(0, 64),
		Loaded:  NewTable(0, 16),
		Preload: NewTable(0, 0),
		Stdout:  opts.Stdout,
		Host:    opts.Host,
		Baton:   opts.Baton,
		gc:      gcState{pause: 200, stepMul: 200},

		checkModule: opts.CheckModule,
		engine:      opts.Engine,
	}
	if st.engine == nil {
		st.engine = &debianEngine
	}
	if st.Baton == nil {
		st.Baton = NewBaton()
	}
	st.main = st.NewThread()
	st.chunks.add(opts.Chunks)
	openLibs(st)
	return st
}

// NewThread returns a thread that runs on its caller's goroutine: the main thread
// of a worker or the entry thread of a handler.
func (st *State) NewThread() *Thread {
	e := &entryThread{}
	e.State, e.control, e.root = st, &e.own, &e.Thread
	e.ret = e.results[:]
	return &e.Thread
}

// entryThread is a thread with what it points at, in one allocation.
type entryThread struct {
	Thread
	own     control
	results [8]Value
}

// Main returns the state's main thread.
func (st *State) Main() *Thread { return st.main }
