package phases

import (
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/lua/ngxre"
	"github.com/moonphase/moonphase/phases/internal/lua/sources"
	"github.com/moonphase/moonphase/phases/internal/manual"
	"github.com/moonphase/moonphase/phases/internal/serve"
)

// Binary is what a built server knows of itself.
type Binary = sources.Binary

// CheckRegex says why ngx.re refuses a pattern with these options, nil when it
// does not.
func CheckRegex(pattern, opts string) error {
	return ngxre.Check(pattern, opts)
}

// ChunkRef is one *_by_lua* directive: which Lua code it runs, and under which
// names ngx_lua knows that code.
type ChunkRef = lua.ChunkRef

// CompileOptions are the surroundings of a configuration.
type CompileOptions = core.CompileOptions

// DefaultLuaPath is package.path without lua_package_path, and what ";;" stands for
// in it. LUA_PATH in the environment changes it.
func DefaultLuaPath() string {
	return lua.DefaultLuaPath()
}

// DefaultScriptPath is package.path of a plain script: LuaJIT's own, or what LUA_PATH
// says.
func DefaultScriptPath() string {
	return lua.DefaultScriptPath()
}

// FileKey is the cache key of a file form. ngx_lua takes the path as written
// when it is constant and the absolute path when it holds variables.
func FileKey(path string) string {
	return lua.FileKey(path)
}

// FindChunks lists the *_by_lua* directives of a configuration in file order.
// Relative paths of file forms start at prefix.
func FindChunks(tree []*conf.Directive, prefix string) ([]ChunkRef, []error) {
	return lua.FindChunks(tree, prefix)
}

// ForegroundEnv, set in the environment, keeps the server in the foreground whatever
// the daemon directive says.
const ForegroundEnv = serve.ForegroundEnv

// Handler is the phases behind net/http.
type Handler = serve.Handler

// HandlerConfig configures NewHandler in nginx's own words.
type HandlerConfig = serve.HandlerConfig

// Complaint is about one directive of a configuration, in nginx's words and with what nginx does not say.
type Complaint = manual.Complaint

// ComplaintKind is what is wrong with a directive.
type ComplaintKind = manual.Kind

const (
	WrongDirective  = manual.Wrong
	AbsentDirective = manual.Absent
	NoSuchDirective = manual.NoSuch
	BadInclude      = manual.Include
)

// Check gives every directive of a configuration its meaning, and goes on behind one that is wrong. The
// error is that of a configuration whose directives are right one by one.
func Check(tree *conf.Tree, opts CompileOptions) ([]Complaint, error) {
	return manual.Check(tree, opts)
}

// CheckModule says what is wrong with a load_module; "" when nothing is. Directives of ignored are not
// missed.
func CheckModule(file string, ignored []string) string { return manual.CheckModule(file, ignored) }

// Explain describes a directive, or a variable with its "$"; ok is false for what nobody has.
func Explain(word string) (text string, ok bool) { return manual.Explain(word) }

// ReferencePages are the pages about directives and variables, by file name.
func ReferencePages() map[string]string { return manual.Pages() }
