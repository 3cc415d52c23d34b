// Package lower turns a bound tree into IR. Every decision is taken here: which
// functions become plain Go functions, how each variable is held, which
// operations are typed, where a value must be kept so that the order of
// evaluation stays the script's, and what everything is called.
package lower

import (
	"strconv"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/goname"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

// Chunk lowers a bound chunk. name is the exported Go name of its main function.
func Chunk(a *ast.Chunk, source []byte, name string) *ir.Chunk {
	c := &chunk{
		facts:    infer.Run(a),
		out:      &ir.Chunk{Name: name, Prefix: goname.Camel(name)},
		funcs:    map[*ast.Func]*ir.Func{},
		vars:     map[*ast.Local]*ir.Var{},
		sites:    map[siteKey]*ir.Site{},
		shapes:   map[string]*ir.Shape{},
		fields:   goname.NewFields(),
		protos:   goname.NewFields(),
		file:     goname.NewScope(nil),
		comments: a.Comments,
		blank:    blankLines(source),
		ownEnv:   a.Main.ChangesEnv,
	}
	for _, n := range []string{"Site", "Proto", "Chunk"} {
		c.file.Declare(n, false)
	}
	c.out.Main = &ir.Func{Kind: ir.Main, Name: name, UsesEnv: true, Line: 1}
	c.topComments(a)
	c.function(nil, a.Main, c.out.Main)
	ir.CountReads(c.out)
	return c.out
}

// chunk is the state of lowering one chunk.
type chunk struct {
	facts  *infer.Facts
	out    *ir.Chunk
	funcs  map[*ast.Func]*ir.Func // static and lifted functions
	vars   map[*ast.Local]*ir.Var
	sites  map[siteKey]*ir.Site
	shapes map[string]*ir.Shape
	fields *goname.Scope // names of sites
	protos *goname.Scope
	file   *goname.Scope // names of package-level functions, without the prefix

	ownEnv bool // functions have environments of their own

	comments []ast.Comment // those not yet carried over
	blank    []bool        // by line
}

// siteKey says which accesses share an inline cache: same function, same name
// of the table, same key.
type siteKey struct {
	fn       *fn
	obj, key string
}

// fn is the state of lowering one function.
type fn struct {
	c      *chunk
	outer  *fn
	ast    *ast.Func
	out    *ir.Func
	static *infer.Static
	scope  *goname.Scope
	buf    *[]ir.Stmt // where statements go now
	loops  []*loop
	dead   bool // control cannot reach here
	labels map[*ast.LabelStmt]string
	label  *goname.Scope // label names
	tail   *ast.Call     // that a return statement is all of, or nil
	self   *ir.For       // the loop that a self tail call continues, or nil
}

// loop is a loop that encloses the statement being lowered.
type loop struct {
	stmt  ast.Stmt
	label *string // of the IR loop, given when a continue needs it
}

// function lowers a's body into out.
func (c *chunk) function(outer *fn, a *ast.Func, out *ir.Func) {
	f := &fn{
		c: c, outer: outer, ast: a, out: out,
		labels: map[*ast.LabelStmt]string{}, label: goname.NewScope(nil),
	}
	var around *goname.Scope
	if outer != nil {
		around = outer.scope
	}
	f.scope = goname.NewScope(around)
	if out.Kind == ir.Static || out.Kind == ir.Lifted {
		f.static = c.facts.Static(a)
	}
	f.buf = &out.Body
	f.signature()
	if f.static != nil && f.static.SelfTail {
		f.self = &ir.For{}
		f.emit(f.self)
		f.buf = &f.self.Body
		f.emit(&ir.Poll{})
	}
	f.block(a.Body)
	if !f.dead {
		f.fallOff()
	}
	if a.HasBackGoto || len(f.labels) > 0 {
		ir.DropLabels(out)
	}
	if f.self != nil {
		f.self.Body = trimContinue(f.self.Body)
	}
}

// trimContinue removes a continue at the end of a loop's body.
func trimContinue(body []ir.Stmt) []ir.Stmt {
	if n := len(body); n > 0 {
		if _, ok := body[n-1].(*ir.Continue); ok {
			return body[:n-1]
		}
	}
	return body
}

// signature declares the parameters.
func (f *fn) signature() {
	out := f.out
	for i, p := range f.ast.Params {
		v := f.variable(p, true)
		if f.static == nil {
			v.Type = ir.Value
			if i < len(out.Sig) {
				out.Sig[i] = v
			}
		}
		out.Params = append(out.Params, v)
	}
	if f.static != nil {
		return
	}
	if f.out.Kind == ir.Main {
		out.Args = f.own("args", ir.List)
		return
	}
	if f.ast.UsesVararg || len(out.Params) > len(out.Sig) {
		out.Count = f.own("n", ir.Int)
	}
	for i := len(out.Sig); i < len(out.Params); i++ {
		x := f.op(ir.Arg, nil, &ir.Ref{Var: out.Count}, &ir.Const{V: i})
		f.emit(&ir.Define{Vars: []*ir.Var{out.Params[i]}, X: []ir.Expr{x}})
	}
	if f.ast.UsesVararg {
		for i := range out.Sig {
			if out.Sig[i] == nil {
				out.Sig[i] = f.own([]string{"a", "b", "c"}[i], ir.Value)
			}
		}
		out.Args = f.own("args", ir.List)
	}
}

// fallOff ends a function that has no return statement at its end.
func (f *fn) fallOff() {
	f.leave()
	ret := &ir.Return{}
	if f.static != nil {
		for _, t := range f.out.Results {
			if t != ir.Multi {
				ret.X = append(ret.X, zero(t))
			}
		}
		if len(f.out.Results) == 0 && f.self == nil {
			return
		}
	}
	f.emit(ret)
}

func (f *fn) leave() {
	if f.out.Weight > 0 {
		f.emit(&ir.Leave{Weight: f.out.Weight})
	}
}

// zero is what a missing result of a type is; only values can be missing.
func zero(t ir.Type) ir.Expr {
	switch t {
	case ir.Float:
		return &ir.Const{V: 0.0}
	case ir.Int:
		return &ir.Const{V: 0}
	case ir.Bool:
		return &ir.Const{V: false}
	}
	return &ir.Const{}
}

// rep is the representation for values of a kind.
func rep(k infer.Kind) ir.Type {
	switch {
	case k.Is(infer.Int):
		return ir.Int
	case k.Is(infer.Number):
		return ir.Float
	case k.Is(infer.Boolean):
		return ir.Bool
	}
	return ir.Value
}

// staticFunc returns the Go function made from a static local function.
func (c *chunk) staticFunc(st *infer.Static) *ir.Func {
	if out := c.funcs[st.Func]; out != nil {
		return out
	}
	l := st.Func.Binding
	out := &ir.Func{Kind: ir.Static, Proto: c.proto(st.Func), UsesEnv: st.UsesEnv, Recursive: refers(st.Func, l), Marker: st.Marker, Line: st.Func.Pos.Line}
	c.funcs[st.Func] = out
	if st.Lifted {
		out.Kind = ir.Lifted
		out.Name = c.out.Prefix + c.file.Declare(liftedName(l.Name), false)
	}
	if st.Recursive {
		out.Weight = 1
	}
	if st.Arity < 0 {
		out.Results = []ir.Type{ir.Multi}
	}
	for _, k := range st.Results {
		out.Results = append(out.Results, rep(k))
	}
	return out
}

// liftedName is what a lifted function is called behind the chunk's prefix.
func liftedName(lua string) string {
	name := goname.Pascal(lua)
	if last := name[len(name)-1]; last >= '0' && last <= '9' {
		return name + "Func" // Shape1 and Data1 are taken
	}
	return name
}

// variable makes the Go variable of a local. hide allows it to hide a name of
// an outer scope.
func (f *fn) variable(l *ast.Local, hide bool) *ir.Var {
	wish := l.Name
	v := &ir.Var{
		Name:     f.scope.Declare(wish, hide),
		Type:     rep(f.c.facts.Local(l)),
		Lua:      l.Name,
		Unstable: l.Captured && l.Assigned > 0,
		Fixed:    l.Assigned == 0,
	}
	f.c.vars[l] = v
	return v
}

// temp makes a variable of the compiler's own.
func (f *fn) temp(wish string, t ir.Type) *ir.Var {
	return &ir.Var{Name: f.scope.Declare(wish, false), Type: t}
}

// own makes a variable of the function's frame, which hides one of an outer function.
func (f *fn) own(name string, t ir.Type) *ir.Var {
	return &ir.Var{Name: f.scope.DeclareOwn(name), Type: t}
}

// keep puts an expression's value into a variable now.
func (f *fn) keep(wish string, x ir.Expr, line int) *ir.Ref {
	v := f.temp(wish, x.Type())
	f.emit(&ir.Define{Vars: []*ir.Var{v}, X: []ir.Expr{x}, Line: line})
	return &ir.Ref{Var: v}
}

// keepAll puts those of xs that match into variables, by one statement.
func (f *fn) keepAll(xs []ir.Expr, match func(ir.Expr) bool) {
	d := &ir.Define{}
	for i, x := range xs {
		if match(x) {
			v := f.temp(wishFor(x), x.Type())
			d.Vars = append(d.Vars, v)
			d.X = append(d.X, x)
			xs[i] = &ir.Ref{Var: v}
		}
	}
	if len(d.Vars) > 0 {
		f.emit(d)
	}
}

func (f *fn) emit(s ...ir.Stmt) { *f.buf = append(*f.buf, s...) }

// into collects what body emits in a Go block of its own.
func (f *fn) into(body func()) []ir.Stmt {
	var list []ir.Stmt
	buf, scope := f.buf, f.scope
	f.buf, f.scope = &list, goname.NewScope(scope)
	body()
	f.buf, f.scope = buf, scope
	return list
}

// aside collects what body emits for the present Go block, to be emitted later.
func (f *fn) aside(body func()) []ir.Stmt {
	var list []ir.Stmt
	buf := f.buf
	f.buf = &list
	body()
	f.buf = buf
	return list
}

// site returns the inline cache for key on the table called obj.
func (f *fn) site(obj, key string) *ir.Site {
	k := siteKey{f, obj, key}
	if obj == "" {
		return f.newSite(key)
	}
	s := f.c.sites[k]
	if s == nil {
		s = f.newSite(key)
		f.c.sites[k] = s
	}
	return s
}

func (f *fn) newSite(key string) *ir.Site {
	wish := key
	if len(wish) > 40 {
		wish = wish[:40]
	}
	s := &ir.Site{Name: f.c.fields.Declare(wish, false), Key: key}
	f.c.out.Sites = append(f.c.out.Sites, s)
	return s
}

// proto describes a function for the runtime.
func (c *chunk) proto(a *ast.Func) *ir.Proto {
	name := a.Name
	if name == "" && a.Binding != nil {
		name = a.Binding.Name
	}
	wish := name
	if wish == "" {
		wish = "anon"
	}
	p := &ir.Proto{
		Name: c.protos.Declare(wish, false), Lua: name,
		Line: a.Line, LastLine: a.End.Line, Params: len(a.Params), Vararg: a.IsVararg,
	}
	c.out.Protos = append(c.out.Protos, p)
	return p
}

// closure lowers a function expression to a Lua function value.
func (f *fn) closure(a *ast.Func) *ir.Closure {
	out := &ir.Func{Kind: ir.Dynamic, Proto: f.c.proto(a), UsesEnv: true, OwnEnv: f.c.ownEnv, Line: a.Pos.Line}
	f.c.function(f, a, out)
	return &ir.Closure{Func: out}
}

func itoa(n int) string { return strconv.Itoa(n) }
