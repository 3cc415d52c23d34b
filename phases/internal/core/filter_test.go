package core

import "testing"

// TestFilterFinalizeEnds has two header filters that refuse each other's error page for
// ever: the request is given up.
func TestFilterFinalizeEnds(t *testing.T) {
	refuse := func(name string, page, status int) HeaderFilter {
		return func(r *Request) int {
			if r.Out.Status != page {
				return OK
			}
			return r.FilterFinalize(name, status)
		}
	}
	l := &Location{stages: stages{headerFilters: []HeaderFilter{refuse("a", 200, 412), refuse("b", 412, 200)}}}
	r := &Request{Cycle: &Cycle{}, Loc: l, Server: &Server{Loc: l}, uriChanges: 1, HTTPMajor: 1}
	r.Main = r
	r.Out.Status = 200
	if rc := r.SendHeader(); rc != Error || !r.Terminated {
		t.Errorf("answer %d, terminated %v", rc, r.Terminated)
	}
}

// TestFiltersOfHead: a request that moves on after its head was sent keeps the body
// filters that have seen the head.
func TestFiltersOfHead(t *testing.T) {
	saw := ""
	see := func(name string) []BodyFilter {
		return []BodyFilter{func(r *Request, p []byte, flags int, next Next) int {
			saw += name
			return OK
		}}
	}
	a := &Location{stages: stages{bodyFilters: see("a"), postpone: 1}}
	b := &Location{stages: stages{bodyFilters: see("b"), postpone: 1}}
	r := &Request{Loc: a}
	r.Main = r
	r.Output(nil, false)
	r.headLoc, r.Loc = a, b
	r.Output(nil, true)
	if saw != "aa" {
		t.Errorf("the body went through %q", saw)
	}
}
