package core

import "github.com/moonphase/moonphase/phases/internal/ngxtext"

// Header is one header line, the name in its original case.
type Header struct {
	Name, Value string
}

// Headers is an ordered list of header lines. Lists are short, so lookups
// scan; comparing lengths first makes that cheaper than a map.
type Headers []Header

// Get is the value of the first line called name, in any case.
func (h Headers) Get(name string) (string, bool) {
	for i := range h {
		if ngxtext.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Conditional reports whether there may be a condition (If-...). Most requests have
// none, and are looked through once for all five of them.
func (h Headers) Conditional() bool {
	for i := range h {
		if name := h[i].Name; len(name) > len("If-") && name[2] == '-' && ngxtext.LowerByte(name[0]) == 'i' {
			return true
		}
	}
	return false
}

// NameOf is name as the first such line writes it, name itself when there is none.
func (h Headers) NameOf(name string) string {
	for i := range h {
		if ngxtext.EqualFold(h[i].Name, name) {
			return h[i].Name
		}
	}
	return name
}

// NameSet is a set of names in lower case.
type NameSet map[string]bool

// NameSetOf makes a set of names, given in lower case.
func NameSetOf(names ...string) NameSet {
	set := make(NameSet, len(names))
	for _, name := range names {
		set[ngxtext.Lower(name)] = true
	}
	return set
}

// Has reports whether name is in the set, in any case.
func (set NameSet) Has(name string) bool { return set[ngxtext.Lower(name)] }

// Has reports whether there is a line called name.
func (h Headers) Has(name string) bool {
	_, ok := h.Get(name)
	return ok
}

// Add appends a line.
func (h *Headers) Add(name, value string) { *h = append(*h, Header{name, value}) }

// Set gives the first line called name the value and removes the others; it
// appends a line when there is none.
func (h *Headers) Set(name, value string) {
	list := *h
	for i := range list {
		if ngxtext.EqualFold(list[i].Name, name) {
			list[i] = Header{name, value}
			tail := list[i+1:]
			tail.Del(name)
			*h = list[:i+1+len(tail)]
			return
		}
	}
	*h = append(list, Header{name, value})
}

// SetValue is Set, but a line that is there keeps its spelling of the name.
func (h *Headers) SetValue(name, value string) {
	for _, line := range *h {
		if ngxtext.EqualFold(line.Name, name) {
			name = line.Name
			break
		}
	}
	h.Set(name, value)
}

// Del removes all lines called name and reports whether there were any.
func (h *Headers) Del(name string) bool {
	list := *h
	keep := list[:0]
	for i := range list {
		if !ngxtext.EqualFold(list[i].Name, name) {
			keep = append(keep, list[i])
		}
	}
	found := len(keep) < len(list)
	clear(list[len(keep):])
	*h = keep
	return found
}
