package core

import "testing"

// TestHandleRefuses: a handler that no request would reach is a mistake of its module.
func TestHandleRefuses(t *testing.T) {
	for _, p := range []Phase{FindConfigPhase, PostRewritePhase} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle takes a handler of phase %d", p)
				}
			}()
			(&Builder{loc: &Location{}}).Handle(p, func(*Request) int { return OK })
		}()
	}
	b := Builder{loc: &Location{}}
	b.Handle(AccessPhase, func(*Request) int { return OK })
	if len(b.loc.phases[AccessPhase]) != 1 {
		t.Error("a handler of the access phase is lost")
	}
}
