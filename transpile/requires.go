package transpile

import (
	"github.com/moonphase/moonphase/transpile/internal/front"
	"github.com/moonphase/moonphase/transpile/internal/modules"
)

// Require is one module that a chunk asks for.
type Require = modules.Require

// Requires lists the modules that a chunk asks for under names known at compile
// time, and what is wrong with the chunk. name is the file name for diagnostics.
func Requires(name string, src []byte) ([]Require, []Diagnostic) {
	return RequiresOf(name, "", src)
}

// RequiresOf is Requires for a chunk that is itself required as module, so that
// names built from its own (`require(... .. ".part")`) are known.
func RequiresOf(name, module string, src []byte) ([]Require, []Diagnostic) {
	chunk, ds := front.Load(name, src)
	if chunk == nil {
		return nil, ds
	}
	return modules.Find(chunk, module), ds
}
