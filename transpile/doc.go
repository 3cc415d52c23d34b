// Package transpile compiles OpenResty Lua to Go.
//
// A chunk (one source file, or the code of one *_by_lua* directive) becomes one
// Go file; a registry file lists them all. The passes, each a package of
// internal/:
//
//	front     the two that follow, for whoever needs a tree
//	syntax    source text to a tree with exact positions, LuaJIT's dialect
//	resolve   names to locals, upvalues and globals; goto and break to targets
//	modules   what a chunk requires; vet: mistakes that compile
//	infer     which kinds of values locals, parameters and results can hold
//	lower     tree to IR: every decision, each operation explicit
//	ir        the Go-shaped form, its dump and its checks
//	emit      IR to Go text, positions to //line directives
//
// What Lua becomes in Go:
//
//	local x, upvalue x         Go variable x, captured as usual
//	a number known to be one   float64, or int for counters
//	local function, only called  Go function with exact parameters and results
//	any other function         rt.NewFunction with the uniform signature
//	t.name                     rt.Field with an inline cache
//	f(x), o:m(x)               rt.Call1, rt.Method1
//	return f(x)                rt.TailCall1: the caller makes the call
//	for i = 1, n               for i := 1; i <= n; i++
//	for k, v in pairs(t)       for it.Next(th) { k, v := it.K, it.V }
//	a and b or c               if and else, or rt.And and rt.Or
//	goto continue              continue
//	{x = 1, y = 2}             rt.NewRecord with a shape shared by all such tables
//	error positions            the //line table; nothing at run time
//
// Generated code imports the runtime only. Package transpile does not: it knows
// the runtime's names (internal/rtapi).
package transpile
