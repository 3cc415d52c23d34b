package runtime

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// The search paths that Debian's LuaJIT has without configuration.
const (
	builtinPath = "./?.lua;/usr/share/luajit-2.1.0-beta3/?.lua;/usr/local/share/lua/5.1/?.lua;" +
		"/usr/local/share/lua/5.1/?/init.lua;/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
	builtinCPath = "./?.so;/usr/local/lib/lua/5.1/?.so;/usr/lib/%s-linux-gnu/lua/5.1/?.so;/usr/local/lib/lua/5.1/loadall.so"
)

// The same with LUA_PATH and LUA_CPATH of the environment that the process was
// started in; servers clear it later.
var (
	defaultPath  = fromEnv("LUA_PATH", builtinPath)
	defaultCPath = fromEnv("LUA_CPATH", fmt.Sprintf(builtinCPath, machine()))
)

// machine is the first word of Debian's name for the architecture.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

func fromEnv(name, builtin string) string {
	path, ok := os.LookupEnv(name)
	if !ok {
		return builtin
	}
	return withDefault(path, builtin)
}

// withDefault puts a path in the place of ";;".
func withDefault(path, old string) string {
	path = strings.ReplaceAll(path, ";;", ";\x01;")
	return strings.ReplaceAll(path, "\x01", old)
}

// DefaultPath is what package.path is in a new state.
func DefaultPath() string { return defaultPath }

var packageLib = []libFunc{
	{"loadlib", packageLoadlib},
	{"searchpath", packageSearchpath},
	{"seeall", packageSeeall},
}

// packageLoaders is package.loaders: where require looks, in this order.
var packageLoaders = []libFunc{
	{"preload_loader", loadPreloaded},
	{"lua_loader", loadLua},
	{"native_loader", loadNative},
	{"root_loader", loadNativeRoot},
}

func openPackage(st *State) {
	t := newLib(packageLib)
	loaders := NewTable(len(packageLoaders), 0)
	for _, l := range packageLoaders {
		loaders.Append(NewGoFunction(l.name, l.fn))
	}
	t.SetStr("loaders", TableValue(loaders))
	t.SetStr("loaded", TableValue(st.Loaded))
	t.SetStr("preload", TableValue(st.Preload))
	t.SetStr("path", String(defaultPath))
	t.SetStr("cpath", String(defaultCPath))
	t.SetStr("config", String("/\n;\n?\n!\n-\n"))
	if st.engine.Lua52 {
		t.SetStr("searchers", TableValue(loaders))
	}
	st.pkg = t
	st.addLib("package", t)
	st.Globals.SetStr("require", NewGoFunction("require", packageRequire))
	st.Globals.SetStr("module", NewGoFunction("module", packageModule))
}

// SetPackagePath sets package.path and package.cpath, unless empty; ";;" in them
// stands for what they were.
func (st *State) SetPackagePath(path, cpath string) {
	set := func(field, path string) {
		if path == "" {
			return
		}
		st.pkg.SetStr(field, String(withDefault(path, st.pkg.GetStr(field).Str())))
	}
	set("path", path)
	set("cpath", cpath)
}

// AddModule makes a native module known to require. A Lua module of the same name
// wins, as it does over a C module on package.cpath. open runs on the first require.
func (st *State) AddModule(name string, open func(*Thread) Value) {
	if st.natives == nil {
		st.natives = map[string]func(*Thread) Value{}
	}
	st.natives[name] = open
}

// NativeModules lists, sorted, the modules that require finds without Lua code.
func (st *State) NativeModules() []string {
	names := slices.Collect(maps.Keys(st.natives))
	for _, t := range []*Table{st.Loaded, st.Preload} {
		for k, _, _ := t.Next(Nil); !k.IsNil(); k, _, _ = t.Next(k) {
			names = append(names, k.Str())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// preload enters a module that LuaJIT has built in in package.preload.
func (st *State) preload(name string, open func(*Thread) Value) {
	st.Preload.SetStr(name, NewGoFunction(nativeLoader, nativeModule(open)))
}

// nativeLoader is the name of the functions that make native modules, in tracebacks.
const nativeLoader = "loader"

func nativeModule(open func(*Thread) Value) GoFunc {
	return func(th *Thread, _ []Value) (Value, int) { return open(th), 1 }
}

var requireMarkByte byte

// requireMark stands in package.loaded while a module's loader runs.
var requireMark = LightUserdata(&requireMarkByte)

func packageRequire(th *Thread, args []Value) (Value, int) {
	name := String(th.CheckString(args, 0))
	loaded := th.State.Loaded
	if v := loaded.Get(name); v.Truthy() {
		if v == requireMark {
			th.Errorf("loop or previous error loading module '%s'", name.Str())
		}
		return v, 1
	}
	loader := th.findLoader(name)
	loaded.setField(name, requireMark)
	v, _ := Call1(th, loader, "", name)
	if !v.IsNil() {
		loaded.setField(name, v)
	} else if loaded.Get(name) == requireMark {
		loaded.setField(name, True)
	}
	return loaded.Get(name), 1
}

// findLoader returns the function that loads a module: the first that one of
// package.loaders gives for it.
func (th *Thread) findLoader(name Value) Value {
	loaders := th.State.pkg.GetStr("loaders")
	if !loaders.IsTable() {
		th.Errorf("'package.loaders' must be a table")
	}
	var tried strings.Builder
	for i := 1; ; i++ {
		loader := loaders.Table().Int(i)
		if loader.IsNil() {
			th.Errorf("module '%s' not found:%s", name.Str(), tried.String())
		}
		v, _ := Call1(th, loader, "", name)
		if v.IsFunction() {
			return v
		}
		if s, ok := toString(v); ok {
			tried.WriteString(s)
		}
	}
}

func loadPreloaded(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	preload := th.State.pkg.GetStr("preload")
	if !preload.IsTable() {
		th.Errorf("'package.preload' must be a table")
	}
	if v := preload.Table().GetStr(name); !v.IsNil() {
		return v, 1
	}
	return String("\n\tno field package.preload['" + name + "']"), 1
}

// loadLua finds the compiled chunk of a module: by the name it was compiled for, or
// by a file name that package.path makes of it.
func loadLua(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	st := th.State
	if c := st.ModuleChunk(name); c != nil {
		return th.moduleFunction(name, c), 1
	}
	var tried strings.Builder
	for _, file := range candidates(name, th.searchPath("path"), ".", "/") {
		if c := st.Chunk(file); c != nil {
			return th.moduleFunction(name, c), 1
		}
		if isReadable(file) {
			tried.WriteString("\n\tfile '" + file + "' is not compiled into this program")
		} else {
			tried.WriteString("\n\tno file '" + file + "'")
		}
	}
	return String(tried.String()), 1
}

// moduleFunction instantiates the chunk of a module.
func (th *Thread) moduleFunction(name string, c *Chunk) Value {
	message := th.State.ChunkError(c)
	if check := th.State.checkModule; check != nil && message == "" {
		if err := check(c); err != nil {
			message = strings.TrimPrefix(c.Name, "@") + " " + err.Error()
		}
	}
	if message != "" {
		th.Errorf("error loading module '%s' from file '%s':\n\t%s", name, strings.TrimPrefix(c.Name, "@"), message)
	}
	return th.State.Load(c, "")
}

// searchPath returns a field of package that must be a search path.
func (th *Thread) searchPath(field string) string {
	s, ok := toString(th.State.pkg.GetStr(field))
	if !ok {
		th.Errorf("'package.%s' must be a string", field)
	}
	return s
}

// loadNative finds a native module; it stands for the C modules on package.cpath.
func loadNative(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	if open := th.State.natives[name]; open != nil {
		return NewGoFunction(nativeLoader, nativeModule(open)), 1
	}
	return String(notFound(candidates(name, th.searchPath("cpath"), ".", "/"))), 1
}

// loadNativeRoot has nothing to find, but its place in the message of a missing module.
func loadNativeRoot(th *Thread, args []Value) (Value, int) {
	root, _, nested := strings.Cut(th.CheckString(args, 0), ".")
	if !nested {
		return Nil, 0
	}
	return String(notFound(candidates(root, th.searchPath("cpath"), ".", "/"))), 1
}

// candidates returns the file names that a search path makes of a module name.
func candidates(name, path, sep, rep string) []string {
	if sep != "" {
		name = strings.ReplaceAll(name, sep, rep)
	}
	var files []string
	for _, template := range strings.Split(path, ";") {
		if template != "" {
			files = append(files, strings.ReplaceAll(template, "?", name))
		}
	}
	return files
}

func notFound(files []string) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString("\n\tno file '" + f + "'")
	}
	return b.String()
}

func isReadable(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

func packageSearchpath(th *Thread, args []Value) (Value, int) {
	files := candidates(th.CheckString(args, 0), th.CheckString(args, 1),
		th.OptString(args, 2, "."), th.OptString(args, 3, "/"))
	for _, f := range files {
		if isReadable(f) {
			return String(f), 1
		}
	}
	return th.Return2(Nil, String(notFound(files)))
}

// packageLoadlib fails as dlopen does: this program has no C.
func packageLoadlib(th *Thread, args []Value) (Value, int) {
	file := th.CheckString(args, 0)
	th.CheckString(args, 1)
	return th.Return3(Nil, String(file+": C libraries cannot be loaded"), String("open"))
}

func packageSeeall(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	if t.Meta() == nil {
		t.SetMeta(NewTable(0, 1))
	}
	t.Meta().SetStr("__index", TableValue(th.State.Globals))
	return Nil, 0
}

// packageModule makes the module table called name the environment of the chunk
// that called it.
func packageModule(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	frames := th.frames(2)
	if len(frames) < 2 || frames[1].chunk == nil {
		th.Throw(String("'module' not called from a Lua function"))
	}
	t := th.moduleTable(name)
	if t.GetStr("_NAME").IsNil() {
		t.SetStr("_M", TableValue(t))
		t.SetStr("_NAME", String(name))
		t.SetStr("_PACKAGE", String(name[:strings.LastIndexByte(name, '.')+1]))
	}
	th.chunkEnv(frames[1].chunk).Table = t
	for _, option := range args[1:] {
		if option.IsFunction() {
			Call1(th, option, "", TableValue(t))
		}
	}
	return TableValue(t), 1
}

// moduleTable returns the table of a module: what is in package.loaded, else the
// global of that name, which is made when it does not exist.
func (th *Thread) moduleTable(name string) *Table {
	loaded := th.State.Loaded
	if v := loaded.GetStr(name); v.IsTable() {
		return v.Table()
	}
	t := th.State.Globals
	for _, part := range strings.Split(name, ".") {
		v := t.GetStr(part)
		if v.IsNil() {
			v = TableValue(NewTable(0, 4))
			t.SetStr(part, v)
		}
		if !v.IsTable() {
			th.Errorf("name conflict for module '%s'", name)
		}
		t = v.Table()
	}
	loaded.SetStr(name, TableValue(t))
	return t
}
