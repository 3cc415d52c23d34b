package phases

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root     = "github.com/moonphase/moonphase/"
	here     = root + "phases"
	internal = here + "/internal/"
)

// bans are what a room may not import, each with its reason. A name that ends in a
// slash stands for everything below it.
var bans = []struct{ room, imports, why string }{
	{"internal/errlog", "internal/", "what everybody logs through knows nobody"},
	{"internal/known", "internal/", "a table knows nobody"},
	{"internal/core", "internal/modules/", "a module is added without touching the core"},
	{"internal/core", "internal/lua", "Lua is a module among others"},
	{"internal/core", "internal/serve", "the core answers requests, wherever they come from"},
	{"internal/modules/", "internal/lua", "a module asks the core for a hook, not Lua for a favour"},
	{"internal/modules/", "internal/serve", "a module knows the client by core's interfaces"},
	{"internal/serve", "internal/lua", "the server runs hooks, whoever put them in"},
	{"internal/serve", "internal/modules", "the list of modules is handed in by the face"},
	{"internal/lua", "internal/serve", "Lua knows the client by core's interfaces"},
	{"internal/lua/", "internal/serve", "Lua knows the client by core's interfaces"},
	{"internal/lua/", "internal/modules/", "a family of functions that works on a module says so below"},
	{"internal/lua", "internal/modules", "the list holds Lua, not the other way round"},
}

// runtimeRooms are those that hold Lua values, and the helper of tests that gives a
// server some; to all others Lua is a module.
var runtimeRooms = []string{".", "internal/lua", "internal/lua/", "internal/testserver"}

// moduleImports are the modules that use another one, as nginx's own do.
var moduleImports = map[string][]string{
	"internal/modules/proxy":     {"internal/modules/upstream"}, // ngx_http_proxy_module.c is made of ngx_http_upstream.c
	"internal/modules/fastcgi":   {"internal/modules/upstream"},
	"internal/modules/memc":      {"internal/modules/upstream"},
	"internal/modules/memcached": {"internal/modules/upstream"},
	"internal/lua":               {"internal/modules/upstream", "internal/modules/ssl"}, // balancer_by_lua*, ssl_*_by_lua*
	"internal/lua/caller":        {"internal/modules/ssl", "internal/modules/upstream"}, // a caller can be a handshake, with a client or an upstream
	"internal/lua/ngxssl":        {"internal/modules/ssl", "internal/modules/upstream"}, // ngx.ssl, ngx.proxyssl
	"internal/lua/ngxbalancer":   {"internal/modules/upstream"},                         // ngx.balancer
	"internal/serve":             {"internal/modules/ssl", "internal/modules/http2"},    // a connection begins with a handshake, or a preface
}

// maxRoom is how long a room may be, in lines of its files without tests.
const maxRoom = 8000

// room is one package: its imports among the rooms, and from the rest of the project.
type room struct {
	imports map[string]bool // "internal/core"
	outside map[string]bool // "runtime"
	lines   int
}

// TestRooms holds the house to its plan: who may know whom.
func TestRooms(t *testing.T) {
	rooms := readRooms(t)
	if len(rooms) < 20 {
		t.Fatalf("only %d rooms were found", len(rooms))
	}
	for name, r := range rooms {
		if r.lines > maxRoom {
			t.Errorf("%s has %d lines, more than %d", name, r.lines, maxRoom)
		}
		for other := range r.imports {
			for _, b := range bans {
				if within(name, b.room) && within(other, b.imports) && !slices.Contains(moduleImports[name], other) {
					t.Errorf("%s imports %s: %s", name, other, b.why)
				}
			}
			if within(name, "internal/modules/") && within(other, "internal/modules/") && !slices.Contains(moduleImports[name], other) {
				t.Errorf("%s imports %s, which nginx's module does not", name, other)
			}
		}
		mayHoldLua := slices.ContainsFunc(runtimeRooms, func(rule string) bool { return within(name, rule) })
		if r.outside["runtime"] && !mayHoldLua {
			t.Errorf("%s imports runtime: only Lua's room knows Lua's values", name)
		}
	}
	for _, cycle := range cycles(rooms) {
		t.Errorf("rooms that need each other: %s", strings.Join(cycle, " "))
	}
}

// TestRoomsCycles: the measure of cycles finds them.
func TestRoomsCycles(t *testing.T) {
	to := func(names ...string) *room {
		r := &room{imports: map[string]bool{}}
		for _, n := range names {
			r.imports[n] = true
		}
		return r
	}
	got := cycles(map[string]*room{"a": to("b"), "b": to("c", "d"), "c": to("a"), "d": to("e"), "e": to("e")})
	if len(got) != 1 || !slices.Equal(got[0], []string{"a", "b", "c"}) {
		t.Errorf("cycles are %v", got)
	}
}

// within tells whether a room is the one that a rule names, or below it.
func within(name, rule string) bool {
	return name == rule || strings.HasSuffix(rule, "/") && strings.HasPrefix(name, rule)
}

// readRooms reads the imports of all packages here and below, those of tests in the
// package itself included: Go permits no cycle without them.
func readRooms(t *testing.T) map[string]*room {
	rooms := map[string]*room{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if strings.HasSuffix(f.Name.Name, "_test") {
			return nil
		}
		name := filepath.ToSlash(filepath.Dir(path))
		r := rooms[name]
		if r == nil {
			r = &room{imports: map[string]bool{}, outside: map[string]bool{}}
			rooms[name] = r
		}
		test := strings.HasSuffix(path, "_test.go")
		if !test {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			r.lines += strings.Count(string(text), "\n")
		}
		for _, spec := range f.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			switch {
			case strings.HasPrefix(p, internal):
				r.imports[strings.TrimPrefix(p, here+"/")] = true
			case strings.HasPrefix(p, root) && !strings.HasPrefix(p, here) && !test:
				r.outside[strings.TrimPrefix(p, root)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rooms
}

// cycles are the groups of rooms that reach each other (Tarjan's strongly connected
// components of more than one), sorted.
func cycles(rooms map[string]*room) [][]string {
	var (
		found   [][]string
		stack   []string
		order   = map[string]int{}
		low     = map[string]int{}
		onStack = map[string]bool{}
		visit   func(name string)
		sorted  = func(m map[string]bool) (names []string) {
			for n := range m {
				names = append(names, n)
			}
			slices.Sort(names)
			return names
		}
	)
	visit = func(name string) {
		order[name] = len(order) + 1
		low[name] = order[name]
		stack = append(stack, name)
		onStack[name] = true
		for _, next := range sorted(rooms[name].imports) {
			if rooms[next] == nil {
				continue
			}
			if order[next] == 0 {
				visit(next)
				low[name] = min(low[name], low[next])
			} else if onStack[next] {
				low[name] = min(low[name], order[next])
			}
		}
		if low[name] != order[name] {
			return
		}
		i := slices.Index(stack, name)
		group := slices.Clone(stack[i:])
		stack = stack[:i]
		for _, n := range group {
			onStack[n] = false
		}
		if len(group) > 1 {
			slices.Sort(group)
			found = append(found, group)
		}
	}
	all := map[string]bool{}
	for n := range rooms {
		all[n] = true
	}
	for _, name := range sorted(all) {
		if order[name] == 0 {
			visit(name)
		}
	}
	return found
}
