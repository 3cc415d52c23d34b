package program

import (
	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/transpile"
)

// Vet finds the mistakes that compile, in the files the chunks stand in.
func (p *Program) Vet() []transpile.Diagnostic {
	program := transpile.VetProgram{SharedDicts: p.dicts, CheckRegex: phases.CheckRegex}
	for _, c := range p.Chunks {
		from := p.origin[c.Key]
		program.Chunks = append(program.Chunks, transpile.VetInput{
			Source: c.Source, Module: c.Module, Directives: p.directives[c.Key],
			File: from.file, Line: from.line, Col: from.col,
		})
	}
	return transpile.Vet(program)
}

// sharedDicts lists the names of lua_shared_dict; not nil.
func sharedDicts(tree []*conf.Directive) []string {
	names := []string{}
	for _, d := range tree {
		if d.Name == "lua_shared_dict" && len(d.Args) > 0 {
			names = append(names, d.Args[0])
		}
		names = append(names, sharedDicts(d.Block)...)
	}
	return names
}
