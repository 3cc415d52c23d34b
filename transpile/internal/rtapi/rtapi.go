// Package rtapi holds the names of the runtime that generated code uses, so
// that the compiler need not import the runtime. A test checks that each of
// them, and each operation of package ir, exists there.
package rtapi

// Path is the import path of the runtime.
const Path = "github.com/moonphase/moonphase/runtime"

// ABI is the constant that generated code needs the runtime to have.
const ABI = "GeneratedABI1"

// Names are the functions, types, variables and constants of the runtime that
// the emitter prints by itself; those of operations are in ir.Ops.
var Names = []string{
	ABI, "Thread", "Env", "Value", "Nil", "True", "False", "String", "Int64", "Uint64", "Imaginary",
	"Site", "Proto", "NewShape", "Chunk", "ChunkSet", "NewFunction", "NewFunctionEnv", "Func", "GetEnv", "SetEnv",
	"TableValue", "NewTable", "NewMixed", "NewRecord", "NewArray", "NewArrayList", "NewArrayOpen", "NewArraySize", "BuildTable",
	"ConcatN", "First", "List", "Prepend", "ForIn", "SelectArgs", "SelectCount",
	"Return2", "Return3", "ReturnN", "ReturnList",
	"Call0", "Call1", "Call2", "Call3", "CallN", "CallList", "Yield1", "Yield2",
	"Method0", "Method1", "Method2", "MethodN", "MethodList",
	"TailCall0", "TailCall1", "TailCall2", "TailCall3", "TailCallN", "TailCallList",
	"TailMethod0", "TailMethod1", "TailMethod2", "TailMethodN", "TailMethodList",
}

// Methods are the methods of the runtime's types that the emitter prints.
var Methods = []string{
	"Thread.Enter", "Thread.Leave", "Thread.Poll", "Thread.Varargs", "Thread.Result",
	"Thread.ForIn", "Thread.List", "Thread.Finish", "Iter.Next", "Iter.Result",
}
