package runtime

import (
	"sort"
	"strconv"
	"strings"
	"sync"
)

// Chunk is a compiled Lua source: what generated code registers.
type Chunk struct {
	Key      string   // ngx_lua's cache key, or the path of a module
	Name     string   // chunk name, as in "@/path/x.lua" or "=access_by_lua(nginx.conf:50)"
	Module   string   // name that require knows it by, "" when none
	Requires []string // modules that it may ask for, by name, or by a pattern with *
	LineFile string   // base name in //line directives; unique in its package
	Main     func(th *Thread, env *Env, args []Value) (Value, int)
	Protos   []*Proto
	Calls    string // calls of Main, as in Proto
	Err      string // a syntax error, "12: message": loading the chunk raises it
	Globals  bool   // it writes global variables, or may do so by _G, setfenv or module
	Hash     string // SHA-256 of the source, in hex

	mainName string // Go name of Main, set when the chunk's set is given to a state
	byGo     struct {
		sync.Once
		protos map[string]*Proto
	}
}

// ChunkSet is the chunks of a generated package.
type ChunkSet []*Chunk

// Find returns the chunk with a cache key, or nil.
func (set ChunkSet) Find(key string) *Chunk {
	if len(set) == 0 {
		return nil
	}
	return set.index().keys[key]
}

// index returns the set's index, which is made once.
func (set ChunkSet) index() *chunkIndex {
	indexes.Lock()
	defer indexes.Unlock()
	index := indexes.of[set[0]]
	if index == nil || len(index.keys) != len(set) {
		index = newChunkIndex(set)
		indexes.of[set[0]] = index
	}
	return index
}

// chunkTable is what a state knows about chunks.
type chunkTable struct {
	index *chunkIndex
	names map[*Chunk]string // names given by Load, where they differ from the chunk's
	envs  map[*Chunk]*Env   // environment of the latest load
}

// chunkIndex finds the chunks of a set; states share it.
type chunkIndex struct {
	lines   map[string]*Chunk
	keys    map[string]*Chunk
	modules map[string]*Chunk
}

// indexes keeps one index a chunk set, by its first chunk.
var indexes = struct {
	sync.Mutex
	of map[*Chunk]*chunkIndex
}{of: map[*Chunk]*chunkIndex{}}

// add makes the chunks of a set known.
func (c *chunkTable) add(set ChunkSet) {
	c.names, c.envs = map[*Chunk]string{}, map[*Chunk]*Env{}
	if len(set) == 0 {
		c.index = &chunkIndex{}
		return
	}
	c.index = set.index()
}

func newChunkIndex(set ChunkSet) *chunkIndex {
	x := &chunkIndex{map[string]*Chunk{}, map[string]*Chunk{}, map[string]*Chunk{}}
	for _, c := range set {
		x.lines[c.LineFile] = c
		x.keys[c.Key] = c
		if c.Module != "" {
			x.modules[c.Module] = c
		}
		for _, p := range c.Protos {
			p.Chunk = c
		}
		if c.Main != nil {
			c.mainName = goName(c.Main)
		}
		sort.SliceStable(c.Protos, func(i, j int) bool { return c.Protos[i].Line < c.Protos[j].Line })
	}
	return x
}

func (c *chunkTable) byLine(file string) *Chunk { return c.index.lines[file] }

// name returns the chunk's name in this state.
func (c *chunkTable) name(chunk *Chunk) string {
	if n, ok := c.names[chunk]; ok {
		return n
	}
	return chunk.Name
}

// FunctionSource returns where a Lua function is defined, as "chunkname:line".
func (st *State) FunctionSource(f Value) string {
	p := f.Func().proto
	if p == nil || p.Chunk == nil {
		return "=[C]:-1"
	}
	return st.chunks.name(p.Chunk) + ":" + strconv.Itoa(p.Line)
}

// protoOf returns the function that the Go function called name is, nil for the main
// chunk. Go puts the names of functions before that of a literal in one that was inlined.
func (c *Chunk) protoOf(name string, line int) *Proto {
	if name == c.mainName {
		return nil
	}
	c.byGo.Do(func() {
		c.byGo.protos = make(map[string]*Proto, len(c.Protos))
		for _, p := range c.Protos {
			c.byGo.protos[p.Go] = p
		}
	})
	rest := name[strings.LastIndexByte(name, '/')+1:]
	for more := true; more; {
		if _, rest, more = strings.Cut(rest, "."); more {
			if p := c.byGo.protos[rest]; p != nil {
				return p
			}
		}
	}
	return c.protoAt(line)
}

// protoAt returns the innermost function around a line.
func (c *Chunk) protoAt(line int) *Proto {
	var best *Proto
	for _, p := range c.Protos {
		if p.Line <= line && line <= p.LastLine && p.Line > 0 {
			if best == nil || p.LastLine-p.Line <= best.LastLine-best.Line {
				best = p
			}
		}
	}
	return best
}

// Chunk returns the chunk with a cache key, nil when the state has none.
func (st *State) Chunk(key string) *Chunk { return st.chunks.index.keys[key] }

// ModuleChunk returns the chunk that require finds under a name, or nil.
func (st *State) ModuleChunk(name string) *Chunk { return st.chunks.index.modules[name] }

// Load returns chunk as a Lua function with the state's globals. name, when not
// empty, is what messages call it; the first name given wins.
func (st *State) Load(chunk *Chunk, name string) Value {
	return st.LoadEnv(chunk, name, &Env{Table: st.Globals})
}

// LoadEnv is Load with an environment of the caller's.
func (st *State) LoadEnv(chunk *Chunk, name string, env *Env) Value {
	if _, ok := st.chunks.names[chunk]; !ok && name != "" && name != chunk.Name {
		st.chunks.names[chunk] = name
	}
	st.chunks.envs[chunk] = env
	f := &Function{proto: &Proto{Chunk: chunk, Vararg: true}, env: env}
	f.fn = func(th *Thread, n int, a, b, c Value) (Value, int) {
		if chunk.Err != "" {
			th.Throw(String(th.State.ChunkError(chunk)))
		}
		th.root.entered(chunk, f.env)
		return chunk.Main(th, f.env, th.Varargs(n, a, b, c, 0))
	}
	return FunctionValue(f)
}

// Isolated gives the chunk of f, which Load made, global variables of its own: what it
// writes is gone with the function that is returned, what it reads may be the state's.
// A chunk that writes none shares f.
func (st *State) Isolated(f Value) Value {
	chunk := f.Func().proto.Chunk
	if !chunk.Globals {
		return f
	}
	if st.isolation == nil {
		st.isolation = NewTable(0, 1)
		st.isolation.SetStr("__index", TableValue(st.Globals))
	}
	t := NewTable(0, 4)
	t.SetStr("_G", TableValue(t))
	t.SetMeta(st.isolation)
	return st.LoadEnv(chunk, "", &Env{Table: t})
}

// chunkEnv is the environment in which an entry thread runs a chunk.
type chunkEnv struct {
	chunk *Chunk
	env   *Env
}

// entered notes the environment of a chunk that the entry thread th begins to run.
func (th *Thread) entered(c *Chunk, env *Env) {
	for i := range th.envs {
		if th.envs[i].chunk == c {
			th.envs[i].env = env
			return
		}
	}
	th.envs = append(th.envs, chunkEnv{c, env})
}

// chunkEnv returns the environment of the functions of a chunk: that in which the
// entry thread ran it, or that of its latest load. It may be nil.
func (th *Thread) chunkEnv(c *Chunk) *Env {
	for i := range th.root.envs {
		if th.root.envs[i].chunk == c {
			return th.root.envs[i].env
		}
	}
	return th.State.chunks.envs[c]
}

// ChunkError returns the syntax error of a chunk as LuaJIT words it, "" when it has
// none.
func (st *State) ChunkError(c *Chunk) string {
	if c.Err == "" {
		return ""
	}
	return ShortSource(st.chunks.name(c)) + ":" + c.Err
}
