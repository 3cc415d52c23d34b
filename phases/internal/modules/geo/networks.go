package geo

import (
	"net/netip"
	"slices"
)

// networks find the narrowest network around an address: one look for each length of
// mask that is in use (ngx_radix_tree_t).
type networks struct {
	values map[netip.Prefix]string
	of4    []int // lengths of masks of IPv4, the longest first
	of6    []int
}

// put stores a value, and tells what it takes the place of.
func (n *networks) put(p netip.Prefix, value string) (old string, taken bool) {
	if n.values == nil {
		n.values = map[netip.Prefix]string{}
	}
	old, taken = n.values[p]
	n.values[p] = value
	return old, taken
}

// remove takes a network out; ok is false when it is not there.
func (n *networks) remove(p netip.Prefix) (ok bool) {
	_, ok = n.values[p]
	delete(n.values, p)
	return ok
}

// settle prepares for find, when all networks are there.
func (n *networks) settle() {
	var has4, has6 [129]bool
	for p := range n.values {
		if p.Addr().Is4() {
			has4[p.Bits()] = true
		} else {
			has6[p.Bits()] = true
		}
	}
	n.of4, n.of6 = lengths(has4[:]), lengths(has6[:])
}

// lengths lists those that are in use.
func lengths(has []bool) (list []int) {
	for bits, some := range slices.All(has) {
		if some {
			list = append(list, bits)
		}
	}
	slices.Reverse(list)
	return list
}

// find is the value for an address, "" without one.
func (n *networks) find(addr netip.Addr) string {
	bits := n.of6
	if addr.Is4() {
		bits = n.of4
	}
	for _, b := range bits {
		p, _ := addr.Prefix(b)
		if v, ok := n.values[p]; ok {
			return v
		}
	}
	return ""
}
