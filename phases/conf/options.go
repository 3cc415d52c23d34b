package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say how a configuration is read.
type Options struct {
	// Map says where the files are that the configuration names by the paths of another
	// machine.
	Map PathMap
	// GoOn reads on behind an include that fails: its complaint stands in the tree like
	// others, and is no error of the whole.
	GoOn bool
}

// ParseFile reads the configuration file at path. Includes are relative to its
// folder. On a syntax error the tree holds what stands before it.
func (o Options) ParseFile(path string) (*Tree, error) {
	r := &reader{tree: &Tree{}, dir: filepath.Dir(path), opts: o}
	data, err := os.ReadFile(path)
	if err != nil {
		e := openError(path, err)
		r.tree.Directives = []*Directive{{Err: e}}
		return r.tree, e
	}
	return r.tree, r.result(r.parse(path, data))
}

// PathMap gives paths of one machine their place on another (--map FROM=TO).
type PathMap []struct{ From, To string }

// Set adds FROM=TO. A relative TO starts at the working folder.
func (m *PathMap) Set(text string) error {
	from, to, ok := strings.Cut(text, "=")
	if !ok || !filepath.IsAbs(from) || to == "" {
		return fmt.Errorf("want FROM=TO with an absolute FROM, as /usr/local/openresty=./openresty")
	}
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	*m = append(*m, struct{ From, To string }{filepath.Clean(from), to})
	return nil
}

// String is the list as it was given.
func (m *PathMap) String() string {
	var list []string
	for _, row := range *m {
		list = append(list, row.From+"="+row.To)
	}
	return strings.Join(list, " ")
}

// Type is the word for the flag's value in the usage.
func (m *PathMap) Type() string { return "FROM=TO" }

// Local is where path is to be read: below TO of the longest FROM that it is below of,
// else where it says.
func (m *PathMap) Local(path string) string {
	best, local := -1, path
	for _, row := range *m {
		rest, ok := strings.CutPrefix(path, row.From)
		if ok && (rest == "" || rest[0] == '/') && len(row.From) > best {
			best, local = len(row.From), row.To+rest
		}
	}
	return local
}

// Target is the path of the other machine that local stands for.
func (m *PathMap) Target(local string) string {
	best, path := -1, local
	for _, row := range *m {
		rest, ok := strings.CutPrefix(local, row.To)
		if ok && (rest == "" || rest[0] == '/') && len(row.To) > best {
			best, path = len(row.To), row.From+rest
		}
	}
	return path
}

// Without takes the blocks of the file's outermost level that have one of the names out
// of the tree and returns them.
func (t *Tree) Without(names []string) (left []*Directive) {
	kept := t.Directives[:0]
	for _, d := range t.Directives {
		if d.HasBlock && slices.Contains(names, d.Name) {
			left = append(left, d)
			continue
		}
		kept = append(kept, d)
	}
	t.Directives = kept
	return left
}
