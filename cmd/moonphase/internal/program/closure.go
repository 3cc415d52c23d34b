package program

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/transpile"
)

// closure follows every require of a program until nothing new is found.
//
// What is wrong in a chunk that surely runs (one that a directive names, or a module
// that such a chunk requires outside of functions and branches) is an error: that
// place can only fail. Everywhere else it is a warning, and an error at run time if
// the program ever gets there: code that never runs does not stop a build.
type closure struct {
	p      *Program
	facts  []transpile.ModuleFacts  // by place in p.Chunks
	faults [][]transpile.Diagnostic // the same
	module map[string]int           // chunk of a module
	sure   []bool                   // chunks that surely run
	given  map[string]bool          // modules that the program itself makes
	any    bool                     // it may make others
}

// close completes the program and reports the mistakes met. The chunks that are
// there surely run, except those whose key is in p.maybe.
func (p *Program) close() {
	c := &closure{p: p, module: map[string]int{}, given: map[string]bool{}}
	for i, chunk := range p.Chunks {
		if chunk.Module != "" {
			c.module[chunk.Module] = i
		}
		c.sure = append(c.sure, !p.maybe[chunk.Key])
	}
	c.options()
	patterns := c.follow()
	certain := len(p.Chunks)
	// What only a computed name may ask for comes last: nobody says that the
	// program ever loads it, so what is wrong with it is no finding.
	for i := 0; i < len(patterns); i++ {
		for _, name := range p.path.glob(patterns[i]) {
			c.add(name)
		}
		patterns = append(patterns, c.follow()...)
	}
	c.spread()
	for i := range certain {
		c.report(i)
	}
}

// options adds the modules of --module. One that is named is needed.
func (c *closure) options() {
	for _, pattern := range c.p.opt.Modules {
		if strings.Contains(pattern, "*") {
			for _, name := range c.p.path.glob(pattern) {
				c.add(name)
			}
			continue
		}
		if !c.add(pattern) {
			c.p.Findings = append(c.p.Findings, transpile.Diagnostic{Code: transpile.CodeMissingModule,
				Severity: transpile.Error, Msg: fmt.Sprintf("--module %s: not found on the Lua path", pattern)})
		} else if i, ok := c.module[pattern]; ok {
			c.sure[i] = true
		}
	}
}

// fileFirst are native modules that LuaJIT has in C: a Lua file on package.path comes
// before them. No file replaces the others, which stand for libraries that use ffi.
var fileFirst = map[string]bool{"cjson": true, "cjson.safe": true, "lfs": true}

// add makes sure that a module is part of the program; false when there is none.
func (c *closure) add(name string) bool {
	p := c.p
	if _, ok := c.module[name]; ok || p.native[name] && !fileFirst[name] {
		return true
	}
	path, src, ok := p.path.find(name)
	if !ok {
		return p.native[name]
	}
	c.module[name] = len(p.Chunks)
	p.add(transpile.Chunk{Key: phases.FileKey("module " + name), Name: "@" + path, Module: name, File: path, Source: src},
		origin{filepath.Clean(p.path.place(path)), 1, 1})
	c.sure = append(c.sure, false)
	return true
}

// follow looks through the chunks that nobody has looked through yet, adding the
// modules that they name, and returns the patterns among the names.
func (c *closure) follow() (patterns []string) {
	for i := len(c.facts); i < len(c.p.Chunks); i++ { // grows while it runs
		chunk := c.p.Chunks[i]
		facts, faults := transpile.Modules(chunk.Name, chunk.Module, chunk.Source)
		c.facts, c.faults = append(c.facts, facts), append(c.faults, faults)
		for _, name := range facts.Provides {
			c.given[name] = true
		}
		c.any = c.any || facts.ProvidesAny
		for _, r := range facts.Requires {
			switch {
			case strings.Contains(r.Module, "*"):
				patterns = append(patterns, r.Module)
			case r.Module != "":
				c.add(r.Module)
			}
		}
	}
	return patterns
}

// spread marks the modules that chunks which surely run surely require.
func (c *closure) spread() {
	var work []int
	for i, sure := range c.sure {
		if sure {
			work = append(work, i)
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		for _, r := range c.facts[i].Requires {
			if m, ok := c.module[r.Module]; ok && !c.sure[m] && !r.Optional && !r.Conditional {
				c.sure[m] = true
				work = append(work, m)
			}
		}
	}
}

// report adds the findings about one chunk.
func (c *closure) report(i int) {
	chunk := c.p.Chunks[i]
	find := func(d transpile.Diagnostic, sure bool) {
		if !sure && d.Severity == transpile.Error {
			d.Severity = transpile.Warning
		}
		if d.Severity == transpile.Error || !c.facts[i].Silenced(d.Line, d.Code) {
			c.p.Findings = append(c.p.Findings, c.p.Place(chunk.Key, d))
		}
	}
	for _, d := range c.faults[i] {
		find(d, c.sure[i])
	}
	told := slices.ContainsFunc(c.facts[i].Requires, func(r transpile.Require) bool { return r.Comment })
	for _, r := range c.facts[i].Requires {
		d := transpile.Diagnostic{Line: r.Line, Col: r.Col}
		if r.Module == "" {
			if told || len(c.p.opt.Modules) > 0 {
				continue // somebody has said what it can be
			}
			d.Code, d.Severity = transpile.CodeComputedModule, transpile.Warning
			d.Msg = "the name of this module is computed at run time"
			d.Help = "only modules that are named elsewhere are built in; name the others: --module NAME, or a comment -- moonphase:require NAME"
			find(d, true)
			continue
		}
		if _, ok := c.module[r.Module]; ok || r.Optional || c.p.native[r.Module] || c.given[r.Module] {
			continue
		}
		d.Code, d.Severity = transpile.CodeMissingModule, transpile.Error
		d.Msg = fmt.Sprintf("module '%s' not found", r.Module)
		d.Help = c.help(r.Module)
		find(d, c.sure[i] && !r.Conditional && !c.any)
	}
}

// help says what can be done about a missing module.
func (c *closure) help(module string) string {
	switch {
	case module == "ffi":
		return "there is no C in a built program, so no ffi; `pcall(require, \"ffi\")` lets the script do without"
	case strings.HasPrefix(module, "resty."):
		return "the lua-resty libraries are Lua files: install them, or copy them to a folder of lua_package_path, which is " +
			strings.Join(c.p.path.templates, ";")
	}
	return "it is on none of: " + strings.Join(c.p.path.templates, ";")
}
