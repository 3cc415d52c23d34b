package runtime

import (
	"strings"
	"testing"
)

func TestOpaque(t *testing.T) {
	a, b := Opaque("a"), Opaque("b")
	if !RawEq(a, a) || RawEq(a, b) {
		t.Error("opaque pointers are not told apart")
	}
	if TypeName(a) != "cdata" || a.CData().TypeName() != "void *" || !strings.HasPrefix(a.CData().String(), "cdata<void *>: 0x") {
		t.Errorf("%s, %s, %s", TypeName(a), a.CData().TypeName(), a.CData())
	}
	if _, ok := cdataOperand(a); ok {
		t.Error("an opaque pointer takes part in arithmetic")
	}
}
