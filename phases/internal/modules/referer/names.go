package referer

import (
	"fmt"
	"sort"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// names are hosts, exact or with a wildcard, with the beginning of the paths that they
// allow; "" allows all (ngx_hash_combined_t).
type names struct {
	exact map[string]string
	heads []wildcard // *.example.com as .example.com, longest first once sorted
	tails []wildcard // www.example.* as www.example.
}

type wildcard struct {
	text string
	self bool // .example.com: the text without its dot is a name too
	path string
}

func (n *names) empty() bool { return len(n.exact)+len(n.heads)+len(n.tails) == 0 }

// add adds a name (ngx_hash_add_key).
func (n *names) add(name, path string) error {
	text := ngxtext.Lower(name)
	stars := strings.Count(text, "*")
	if stars > 1 || strings.Contains(text, "..") || strings.IndexByte(text, 0) >= 0 {
		return invalidName(name)
	}
	var added bool
	switch {
	case len(text) > 1 && text[0] == '.':
		_, taken := n.exact[text[1:]]
		added = !taken && addWildcard(&n.heads, wildcard{text, true, path})
	case len(text) > 2 && strings.HasPrefix(text, "*."):
		added = addWildcard(&n.heads, wildcard{text[1:], false, path})
	case len(text) > 2 && strings.HasSuffix(text, ".*"):
		added = addWildcard(&n.tails, wildcard{text[:len(text)-1], false, path})
	case stars > 0:
		return invalidName(name)
	default:
		added = n.addExact(text, path)
	}
	if !added {
		return fmt.Errorf("conflicting parameter \"%s\"", text)
	}
	return nil
}

func invalidName(name string) error { return fmt.Errorf("invalid hostname or wildcard \"%s\"", name) }

// addExact reports whether the name is a new one.
func (n *names) addExact(text, path string) bool {
	if _, taken := n.exact[text]; taken {
		return false
	}
	for i := range n.heads {
		if n.heads[i].self && n.heads[i].text[1:] == text {
			return false
		}
	}
	if n.exact == nil {
		n.exact = map[string]string{}
	}
	n.exact[text] = path
	return true
}

// addWildcard reports whether the wildcard is a new one.
func addWildcard(list *[]wildcard, w wildcard) bool {
	for i := range *list {
		if (*list)[i].text == w.text {
			return false
		}
	}
	*list = append(*list, w)
	return true
}

// sort puts the more specific wildcards first.
func (n *names) sort() {
	for _, list := range [...][]wildcard{n.heads, n.tails} {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
	}
}

// find is the path that goes with a host in lower case (ngx_hash_find_combined).
func (n *names) find(host string) (path string, found bool) {
	if path, found = n.exact[host]; found {
		return path, true
	}
	for i := range n.heads {
		if w := &n.heads[i]; strings.HasSuffix(host, w.text) || w.self && host == w.text[1:] {
			return w.path, true
		}
	}
	for i := range n.tails {
		if w := &n.tails[i]; strings.HasPrefix(host, w.text) {
			return w.path, true
		}
	}
	return "", false
}
