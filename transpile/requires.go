package transpile

import (
	"github.com/moonphase/moonphase/transpile/internal/front"
	"github.com/moonphase/moonphase/transpile/internal/modules"
)

// Require is one module that a chunk asks for.
type Require = modules.Require

// ModuleFacts is what a chunk requires, and what it gives to require.
type ModuleFacts struct {
	modules.Facts
	silences front.Silences
}

// Silenced reports whether a comment of the chunk switches a finding off.
func (f *ModuleFacts) Silenced(line int, code Code) bool { return f.silences.Cover(line, code) }

// Modules finds what a chunk has to do with modules, and what is wrong with the
// chunk. name is the file name for diagnostics; module is what the chunk itself is
// required as, or "", so that names built from its own (`require(... .. ".part")`)
// are known.
func Modules(name, module string, src []byte) (ModuleFacts, []Diagnostic) {
	chunk, ds := front.Load(name, src)
	if chunk == nil {
		return ModuleFacts{}, ds
	}
	return ModuleFacts{*modules.Find(chunk, module), front.SilencesOf(chunk.Comments)}, ds
}
