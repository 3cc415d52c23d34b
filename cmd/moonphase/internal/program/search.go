package program

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// openResty is where OpenResty keeps its Lua libraries: modules that no other folder
// has are taken from there.
const openResty = "/usr/local/openresty/site/lualib/?.lua;/usr/local/openresty/site/lualib/?/init.lua;" +
	"/usr/local/openresty/lualib/?.lua;/usr/local/openresty/lualib/?/init.lua"

// searchPath is package.path split into its templates; relative ones are
// taken from dir.
type searchPath struct {
	templates []string
	guessed   []string // looked at when those have nothing
	dir       string
	local     func(path string) string // where a path is on this machine
}

// newSearchPath reads a lua_package_path value: $prefix is the server's
// prefix, an empty template (`;;`) the default path.
func newSearchPath(value, def, prefix, dir string) searchPath {
	value = strings.NewReplacer("${prefix}", prefix, "$prefix", prefix).Replace(value)
	value = strings.ReplaceAll(value, ";;", ";"+def+";")
	var p searchPath
	p.dir = dir
	p.local = func(path string) string { return path }
	p.add(value)
	return p
}

// all is every template, those of last resort at the end.
func (p *searchPath) all() []string {
	return slices.Concat(p.templates, p.guessed, strings.Split(openResty, ";"))
}

func (p *searchPath) add(templates string) {
	for t := range strings.SplitSeq(templates, ";") {
		if t != "" {
			p.templates = append(p.templates, t)
		}
	}
}

// find returns the path of the module's file, spelled as package.searchpath
// would, and its text.
func (p *searchPath) find(module string) (path string, src []byte, ok bool) {
	name := strings.ReplaceAll(module, ".", "/")
	for _, t := range p.all() {
		path := strings.ReplaceAll(t, "?", name)
		if src, err := os.ReadFile(p.place(path)); err == nil {
			return path, src, true
		}
	}
	return "", nil, false
}

// glob lists the modules whose name matches pattern, in which * stands for
// any part of a name, dots included.
func (p *searchPath) glob(pattern string) []string {
	found := map[string]bool{}
	want, sep := wildcard(pattern), "."
	if strings.Contains(pattern, "/") {
		sep = "/" // as the chunk writes its names
	}
	for _, t := range p.all() {
		before, after, ok := strings.Cut(t, "?")
		if !ok || strings.Contains(after, "?") {
			continue
		}
		root := p.place(before)
		constant, _, _ := strings.Cut(pattern, "*")
		start := root
		if i := strings.LastIndexAny(constant, "./"); i >= 0 {
			start = filepath.Join(root, filepath.FromSlash(strings.ReplaceAll(constant[:i], ".", "/")))
		}
		// A folder that is not there holds no module.
		_ = filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			rel, err := filepath.Rel(root, path)
			if err != nil || !strings.HasSuffix(filepath.ToSlash(rel), after) {
				return nil
			}
			name := strings.ReplaceAll(strings.TrimSuffix(filepath.ToSlash(rel), after), "/", sep)
			if want.MatchString(name) {
				found[name] = true
			}
			return nil
		})
	}
	names := make([]string, 0, len(found))
	for n := range found {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (p *searchPath) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.dir, path)
}

// place is where the file of a template is on this machine.
func (p *searchPath) place(path string) string { return p.local(p.abs(path)) }

// wildcard compiles a pattern in which * matches anything.
func wildcard(pattern string) *regexp.Regexp {
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
}

var (
	assignsPath  = regexp.MustCompile(`package\.path\s*=`)
	pathTemplate = regexp.MustCompile(`(\.\.\s*)?["']([^"'\n]*\?[^"'\n]*)["']`)
)

// templatesIn returns the search templates that a chunk adds to package.path
// as string constants: `package.path = "/srv/lua/?.lua;" .. package.path`. What follows
// a computed part, as in `dir .. "/lib/?.lua"`, is guessed to be below one of the
// folders; such templates come apart.
func templatesIn(src []byte, folders ...string) (sure, guessed []string) {
	if !assignsPath.Match(src) {
		return nil, nil
	}
	for _, m := range pathTemplate.FindAllSubmatch(src, -1) {
		templates := strings.Split(string(m[2]), ";")
		if first := strings.TrimPrefix(templates[0], "%s"); strings.Contains(first, "?") && (len(m[1]) > 0 || first != templates[0]) {
			for _, dir := range folders {
				guessed = append(guessed, filepath.Join(dir, first))
			}
		}
		for _, t := range templates {
			if strings.Contains(t, "?") && !strings.Contains(t, "%s") {
				sure = append(sure, t)
			}
		}
	}
	return sure, guessed
}
