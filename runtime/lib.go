package runtime

// newLib returns the table of a library.
func newLib(funcs []libFunc) *Table {
	t := NewTable(0, len(funcs))
	for _, f := range funcs {
		t.SetStr(f.name, NewGoFunction(f.name, f.fn))
	}
	return t
}

// libFunc is an entry of a library.
type libFunc struct {
	name string
	fn   GoFunc
}

// openLibs installs the standard libraries in the order LuaJIT does.
func openLibs(st *State) {
	openBase(st)
	openPackage(st)
	openTable(st)
	openString(st)
	openIO(st)
	openOS(st)
	openMath(st)
	openDebug(st)
	openBit(st)
	openJIT(st)
	openCoroutine(st)
	openBuffer(st)
	openCJSON(st)
	openLFS(st)
}

// addLib makes a library global and enters it in package.loaded.
func (st *State) addLib(name string, t *Table) {
	st.Globals.SetStr(name, TableValue(t))
	st.Loaded.SetStr(name, TableValue(t))
}
