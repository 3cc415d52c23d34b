package transpile

import (
	"github.com/moonphase/moonphase/transpile/internal/front"
	"github.com/moonphase/moonphase/transpile/internal/vet"
)

// VetInput is one chunk of a program that is to be vetted.
type VetInput struct {
	Source []byte
	// Module is the name the chunk is required by, "" when it is no module.
	Module string
	// Directives are the names of the *_by_lua* directives that run it. A chunk
	// with neither is a plain script.
	Directives []string
	// File, Line and Col place the chunk's first byte, for its findings. Col 0:
	// columns of its first line are not known, because nginx took escapes out.
	File      string
	Line, Col int
}

// VetProgram is what Vet looks at.
type VetProgram struct {
	// Chunks are all chunks, because a global may be set elsewhere and a phase's
	// rules reach through calls into modules.
	Chunks []VetInput
	// SharedDicts are the names of lua_shared_dict; nil: not known.
	SharedDicts []string
	// CheckRegex says why ngx.re refuses a pattern with options, nil when it
	// takes it. Without it patterns are not checked.
	CheckRegex func(pattern, options string) error
}

// Vet finds mistakes in a program that compiles: warnings, sorted and placed in
// the files the chunks stand in. Chunks with errors are left out; Modules has
// those.
func Vet(p VetProgram) []Diagnostic {
	var chunks []*vet.Chunk
	for _, in := range p.Chunks {
		tree, _ := front.Load(in.File, in.Source)
		if tree == nil {
			continue
		}
		chunks = append(chunks, &vet.Chunk{
			Tree: tree, Module: in.Module, Directives: in.Directives, File: in.File, Line: in.Line, Col: in.Col,
		})
	}
	return vet.Check(chunks, vet.Surroundings{SharedDicts: p.SharedDicts, CheckRegex: p.CheckRegex})
}
