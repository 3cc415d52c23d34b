package transpile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/moonphase/moonphase/transpile/internal/diag"
	"github.com/moonphase/moonphase/transpile/internal/emit"
	"github.com/moonphase/moonphase/transpile/internal/front"
	"github.com/moonphase/moonphase/transpile/internal/goname"
	"github.com/moonphase/moonphase/transpile/internal/ir"
	"github.com/moonphase/moonphase/transpile/internal/lower"
	"github.com/moonphase/moonphase/transpile/internal/modules"
)

// Chunk is one Lua source to compile.
type Chunk struct {
	Key    string // ngx_lua's cache key, or any other unique name
	Name   string // chunk name: "@/path/x.lua", "=access_by_lua(nginx.conf:50)"
	Module string // name that require knows it by, "" when none
	File   string // file for diagnostics, "" when unknown
	Line   int    // line of File where Source begins, for the caller's use
	Source []byte
	GoName string // wish for the Go name, "" to derive it
}

// Options says how the Go package shall look.
type Options struct {
	Package string // package name, "lua" when empty
	NoLines bool   // leave //line directives out
}

// File is a generated Go file.
type File struct {
	Name string
	Data []byte
}

// ChunkInfo says what became of a chunk.
type ChunkInfo struct {
	Key, Name string
	GoFunc    string // the chunk's main function, "" if it could not be compiled
	GoFile    string
	Size      int // bytes of Go
}

// Result is a generated package. Files and Chunks are sorted by name and key.
type Result struct {
	Files       []File
	Chunks      []ChunkInfo
	Diagnostics []Diagnostic
}

// RegistryFile is the name of the file that lists the chunks.
const RegistryFile = "modules_lua.go"

// Transpile compiles chunks to the files of one Go package. A chunk that LuaJIT
// refuses gets a registry entry that raises LuaJIT's message, and diagnostics.
// The same chunks give the same bytes, and a chunk's file depends on nothing
// but the chunk and its Go name.
func Transpile(chunks []Chunk, opt Options) (*Result, error) {
	if opt.Package == "" {
		opt.Package = "lua"
	}
	chunks = slices.Clone(chunks)
	slices.SortFunc(chunks, func(a, b Chunk) int { return cmp.Compare(a.Key, b.Key) })
	stems := goStems(chunks)
	outs := make([]output, len(chunks))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range chunks {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outs[i] = compile(&chunks[i], stems[i], opt)
		})
	}
	wg.Wait()
	for _, i := range clashes(outs) {
		outs[i] = compile(&chunks[i], hashed(stems[i], chunks[i].Key), opt)
	}
	return assemble(chunks, outs, opt)
}

// clashes finds the chunks that declare a package-level name of another one:
// the function x_site of chunk "a" meets the sites of chunk "aX".
func clashes(outs []output) []int {
	owner := map[string]int{}
	var list []int
	for i, o := range outs {
		for _, n := range o.names {
			first, taken := owner[n]
			if !taken {
				owner[n] = i
				continue
			}
			for _, c := range []int{first, i} {
				if !slices.Contains(list, c) {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// hashed is a stem that no other chunk has.
func hashed(stem, key string) string {
	sum := sha256.Sum256([]byte(key))
	return stem + "_" + hex.EncodeToString(sum[:3])
}

// output is what became of one chunk.
type output struct {
	file   File
	prefix string
	fn     string
	names  []string // package-level names
	diags  []Diagnostic
	err    error
}

// compile runs the passes over one chunk.
func compile(c *Chunk, stem string, opt Options) (out output) {
	name := goname.Pascal(stem)
	out.prefix = goname.Camel(name)
	out.file.Name = stem + "_lua.go"
	defer func() {
		if r := recover(); r != nil {
			out.err = fmt.Errorf("internal error compiling %s: %v\n%s", c.Name, r, debug.Stack())
		}
	}()
	sum := sha256.Sum256(c.Source)
	eo := emit.Options{
		Package:  opt.Package,
		Source:   stem + ".lua",
		Hash:     hex.EncodeToString(sum[:]),
		LineFile: stem + ".lua",
		Key:      c.Key,
		Module:   c.Module,
		NoLines:  opt.NoLines,
	}
	// The name of inline code has a line of nginx.conf in it, which changes when
	// other lines come and go: it is given when the chunk is loaded.
	if !strings.HasPrefix(c.Name, "=") {
		eo.Name = c.Name
	}
	tree, ds := front.Load(c.File, c.Source)
	out.diags = ds
	if tree == nil {
		out.names = []string{out.prefix + "Chunk"}
		out.file.Data, out.err = emit.Broken(out.prefix, refusal(ds), eo)
		return out
	}
	out.fn = name
	eo.Requires = modules.Find(tree, c.Module).Names()
	lowered := lower.Chunk(tree, c.Source, name)
	out.names = lowered.Names()
	out.file.Data, out.err = emit.Chunk(lowered, eo)
	return out
}

// refusal is what loading a chunk with errors raises, after the chunk's name and a
// colon: LuaJIT's text, or ours for what only this compiler refuses.
func refusal(ds []Diagnostic) string {
	if text := diag.LuaError(ds); text != "" {
		return text
	}
	for _, d := range ds {
		if d.Severity == diag.Error {
			return fmt.Sprintf("%d: %s (moonphase %s)", d.Line, d.Msg, d.Code)
		}
	}
	return "0: not compiled"
}

// DumpIR returns the compiler's intermediate form of a chunk as text, for people
// who work on the compiler.
func DumpIR(c Chunk) (string, []Diagnostic) {
	tree, ds := front.Load(c.File, c.Source)
	if tree == nil {
		return "", ds
	}
	return ir.Print(lower.Chunk(tree, c.Source, goname.Pascal(goname.FileStem(wish(&c))))), ds
}

// assemble makes the result of the compiled chunks.
func assemble(chunks []Chunk, outs []output, opt Options) (*Result, error) {
	res := &Result{}
	var prefixes []string
	for i, o := range outs {
		if o.err != nil {
			return nil, o.err
		}
		res.Files = append(res.Files, o.file)
		res.Diagnostics = append(res.Diagnostics, o.diags...)
		res.Chunks = append(res.Chunks, ChunkInfo{
			Key: chunks[i].Key, Name: chunks[i].Name, GoFunc: o.fn, GoFile: o.file.Name, Size: len(o.file.Data),
		})
		prefixes = append(prefixes, o.prefix)
	}
	slices.Sort(prefixes)
	registry, err := emit.Registry(opt.Package, prefixes)
	if err != nil {
		return nil, err
	}
	res.Files = append(res.Files, File{RegistryFile, registry})
	slices.SortFunc(res.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(res.Diagnostics, CompareDiagnostics)
	return res, nil
}

// goStems picks a file stem for each chunk, from which its Go names follow.
// Chunks that want the same one all get the hash of their key, so that no name
// depends on the order of chunks.
func goStems(chunks []Chunk) []string {
	stems := make([]string, len(chunks))
	owners := map[string]int{strings.ToLower(goname.Pascal(strings.TrimSuffix(RegistryFile, "_lua.go"))): 2}
	for i, c := range chunks {
		stems[i] = goname.FileStem(wish(&c))
		owners[strings.ToLower(goname.Pascal(stems[i]))]++
	}
	for i, c := range chunks {
		if owners[strings.ToLower(goname.Pascal(stems[i]))] > 1 {
			stems[i] = hashed(stems[i], c.Key)
		}
	}
	return stems
}

// wish is the name that a chunk wants: the given one, else its module's or file's.
func wish(c *Chunk) string {
	switch {
	case c.GoName != "":
		return c.GoName
	case c.Module != "":
		return c.Module
	case c.File != "":
		return strings.TrimSuffix(path.Base(c.File), ".lua")
	}
	return c.Key
}
