// Package rtapi holds the names of the runtime that generated code uses, so
// that the compiler need not import the runtime. A test checks that each exists.
package rtapi

// Path is the import path of the runtime.
const Path = "github.com/moonphase/moonphase/runtime"

// ABI is the constant that generated code needs the runtime to have.
const ABI = "GeneratedABI1"
