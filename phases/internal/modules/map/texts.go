package maps

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// texts are the keys of a map that are no patterns, in lower case: whole ones, and names
// of hosts of which the beginning or the end is open (ngx_hash_combined_t).
type texts struct {
	exact map[string]*core.Template
	head  map[string]*core.Template // "example.com" for *.example.com
	tail  map[string]*core.Template // "www.example" for www.example.*
}

// add puts in a key; wild allows *.example.com, .example.com and www.example.*
// (ngx_hash_add_key).
func (t *texts) add(key string, value core.Template, wild bool) error {
	lower := ngxtext.Lower(key)
	kind := exact
	if wild {
		var ok bool
		if kind, ok = wildcard(lower); !ok {
			return fmt.Errorf("invalid hostname or wildcard \"%s\"", key)
		}
	}
	free := true
	switch kind {
	case exact:
		free = put(&t.exact, lower, &value)
	case anyHead:
		lower = "*." + lower[2:]
		free = put(&t.head, lower[2:], &value)
	case dotHead: // the name itself and all that end in it
		free = put(&t.exact, lower[1:], &value) && put(&t.head, lower[1:], &value)
	case anyTail:
		free = put(&t.tail, lower[:len(lower)-2], &value)
	}
	if !free {
		return fmt.Errorf("conflicting parameter \"%s\"", lower)
	}
	return nil
}

// put stores a value unless there is one; free tells that.
func put(in *map[string]*core.Template, key string, value *core.Template) (free bool) {
	if *in == nil {
		*in = map[string]*core.Template{}
	}
	if (*in)[key] != nil {
		return false
	}
	(*in)[key] = value
	return true
}

// Kinds of keys.
const (
	exact   = iota
	anyHead // *.example.com
	dotHead // .example.com
	anyTail // www.example.*
)

// wildcard tells what kind of key a name of a host is; ok is false for what is none.
func wildcard(key string) (kind int, ok bool) {
	stars := strings.Count(key, "*")
	switch {
	case stars > 1, strings.Contains(key, ".."), strings.IndexByte(key, 0) >= 0:
		return 0, false
	case len(key) > 1 && key[0] == '.':
		return dotHead, true
	case len(key) > 2 && strings.HasPrefix(key, "*."):
		return anyHead, true
	case len(key) > 2 && strings.HasSuffix(key, ".*"):
		return anyTail, true
	}
	return exact, stars == 0
}

// find is the value for a text in lower case, nil without one: that of the whole text,
// else of its longest end, else of its longest beginning.
func (t *texts) find(text string) *core.Template {
	if v := t.exact[text]; v != nil {
		return v
	}
	if t.head != nil {
		for _, rest, more := strings.Cut(text, "."); more; _, rest, more = strings.Cut(rest, ".") {
			if v := t.head[rest]; v != nil {
				return v
			}
		}
	}
	if t.tail != nil {
		for i := strings.LastIndexByte(text, '.'); i >= 0; i = strings.LastIndexByte(text[:i], '.') {
			if v := t.tail[text[:i]]; v != nil {
				return v
			}
		}
	}
	return nil
}
