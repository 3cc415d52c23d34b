package golden

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
	exported    = regexp.MustCompile(`\b(\w+)\.[A-Z]\w*`) // also in a block of code
	placeholder = regexp.MustCompile(`<\w+>`)
	// otherNames are Lua's and nginx's, a phrase, a flag, a path of the system: what
	// the pages put in code style and Go does not declare.
	otherNames = regexp.MustCompile(`^(ngx|t)\.|^[a-z_]*_[a-zG_]*$|^[-/]|[ \\]|^(require|pcall|goto|break|1LL|code)$`)
)

// pages are those whose names are checked, with the least number of names they have.
var pages = map[string]int{"docs/ARCHITECTURE.md": 150, "CONTRIBUTING.md": 80}

// TestDocsNameRealThings checks that every file and identifier that the pages put in
// code style exists: `serve.conn` in package serve, `Request.SendHeader` as a method or
// field of a type Request.
func TestDocsNameRealThings(t *testing.T) {
	tree := declarations(t)
	for page, least := range pages {
		text, err := os.ReadFile("../" + page)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, m := range exported.FindAllStringSubmatch(string(text), -1) {
			if tree.packages[m[1]] && !tree.has(m[0]) {
				t.Errorf("%s: nothing is called %s", page, m[0])
			}
		}
		for _, m := range codeSpan.FindAllStringSubmatch(string(text), -1) {
			name := m[1]
			switch {
			case otherNames.MatchString(name):
				continue
			case strings.Contains(name, "/") || strings.HasSuffix(name, ".go"):
				if !exists(name) {
					t.Errorf("%s: no file %s", page, name)
				}
			case strings.ContainsAny(name, "*<"):
				continue // a pattern of nginx's words: *_by_lua*
			case !tree.has(name):
				t.Errorf("%s: nothing is called %s", page, name)
			}
			checked++
		}
		if checked < least {
			t.Errorf("%s: only %d names were checked; has the style of the page changed?", page, checked)
		}
	}
}

// exists looks for files by their path from the root or below the folders of rooms;
// of a pattern like `golden/ngx/modules/<module>` there must be one at least.
func exists(path string) bool {
	for _, root := range []string{"../", "../transpile/internal/", "../phases/internal/"} {
		if found, _ := filepath.Glob(root + placeholder.ReplaceAllString(path, "*")); len(found) > 0 {
			return true
		}
	}
	return false
}

// declared is what the tree's Go files declare.
type declared struct {
	packages map[string]bool
	words    map[string]bool // every name of a package, of its top level, of a method, of a field
	owned    map[string]bool // "package.Name", "Type.member", "package.Type.member"
	inherit  map[string][]string
}

// has reports whether something is called name, whose last part belongs to those before it.
func (d *declared) has(name string) bool {
	owner, member, qualified := cutLast(name)
	if !qualified {
		return d.words[name]
	}
	if d.owned[name] {
		return true
	}
	return slices.ContainsFunc(d.inherit[owner], func(embedded string) bool { return d.has(embedded + "." + member) })
}

func cutLast(name string) (before, last string, found bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

func (d *declared) add(pkg, owner, name string) {
	d.words[name] = true
	if owner == "" {
		d.owned[pkg+"."+name] = true
		return
	}
	d.owned[owner+"."+name] = true
	d.owned[pkg+"."+owner+"."+name] = true
}

// declarations reads the Go files of the tree, new ones included.
func declarations(t *testing.T) *declared {
	out, err := exec.Command("git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	d := &declared{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string][]string{}}
	for file := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		f, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, parser.SkipObjectResolution)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just been removed
		}
		if err != nil {
			t.Fatal(err)
		}
		d.packages[f.Name.Name], d.words[f.Name.Name] = true, true
		for _, decl := range f.Decls {
			d.declaration(f.Name.Name, decl)
		}
	}
	return d
}

func (d *declared) declaration(pkg string, decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		owner := ""
		if decl.Recv != nil {
			owner = typeName(decl.Recv.List[0].Type)
		}
		d.add(pkg, owner, decl.Name.Name)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					d.add(pkg, "", name.Name)
				}
			case *ast.TypeSpec:
				d.add(pkg, "", spec.Name.Name)
				switch typ := spec.Type.(type) {
				case *ast.StructType:
					d.members(pkg, spec.Name.Name, typ.Fields)
				case *ast.InterfaceType:
					d.members(pkg, spec.Name.Name, typ.Methods)
				case *ast.Ident, *ast.SelectorExpr: // an alias has what it stands for
					d.embed(pkg, spec.Name.Name, typ)
				}
			}
		}
	}
}

// members adds the fields of a struct or the methods of an interface.
func (d *declared) members(pkg, owner string, list *ast.FieldList) {
	for _, field := range list.List {
		for _, name := range field.Names {
			d.add(pkg, owner, name.Name)
		}
		if field.Names == nil {
			d.add(pkg, owner, typeName(field.Type))
			d.embed(pkg, owner, field.Type)
		}
	}
}

func (d *declared) embed(pkg, owner string, typ ast.Expr) {
	name := pkg + "." + typeName(typ)
	if s, ok := typ.(*ast.SelectorExpr); ok {
		name = s.X.(*ast.Ident).Name + "." + s.Sel.Name
	}
	if name == pkg+"."+owner {
		return
	}
	for _, o := range []string{owner, pkg + "." + owner} {
		d.inherit[o] = append(d.inherit[o], name)
	}
}

// typeName is the name of a type without its package, pointer and parameters.
func typeName(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return typeName(typ.X)
	case *ast.IndexExpr:
		return typeName(typ.X)
	case *ast.IndexListExpr:
		return typeName(typ.X)
	case *ast.SelectorExpr:
		return typ.Sel.Name
	case *ast.Ident:
		return typ.Name
	}
	return ""
}
