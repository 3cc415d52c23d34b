// Package runtime is what compiled Lua calls: values, tables, operators, calls,
// coroutines, errors and the standard libraries. Generated code imports it as rt; it imports
// the standard library and guard only, so that a script compiles and is tested without the
// server.
//
// # Layers
//
//	value.go value_unsafe.go     Value, 16 bytes; the only unsafe code
//	shape.go table.go hash.go    tables: array, record with hidden class, hash
//	site.go index.go             t.name, t[k], globals; the inline caches
//	metatable.go                 metamethods
//	arith.go compare.go concat.go number.go cdata.go   operators, number formats
//	call.go method.go            functions, the calling convention, tail calls
//	forin.go                     generic for
//	state.go thread.go coroutine.go   Lua states, threads, goroutines for coroutines
//	error.go traceback.go        errors as panics; positions from the Go stack
//	chunk.go                     compiled chunks, require's view of them
//	args.go lib_*.go             libraries
//
// # Rules
//
// A state and everything reachable from it belongs to one goroutine at a time: the holder of
// the worker's baton. Shapes, sites and Go functions are shared by all states and
// are safe for that.
//
// Lua errors are panics with an *Error; an Abort is a panic that Lua cannot
// catch. Positions and tracebacks are read from the Go stack when an error is made (generated
// code carries //line directives), so they cost nothing before.
//
// # Differences from LuaJIT
//
// Weak tables (__mode) are accepted and are strong; __gc is never called. Both only
// show in what is collected when. load, loadstring, loadfile and dofile raise an
// error that names them, as there is no compiler in the process. A thread has no
// environment of its own to change: setfenv(0, t) raises an error.
package runtime
