package goname

import "testing"

func TestIdent(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"x", "x"}, {"type", "type_"}, {"len", "len_"}, {"_", "__"}, {"_M", "_M"},
		{"th", "th_"}, {"remote_addr", "remote_addr"}, {"x-y", "x_y"}, {"1st", "x1st"},
		{"\xe9", "xe9"}, {"é", "é"}, {"", "x"},
	} {
		if got := Ident(tt.in); got != tt.want {
			t.Errorf("Ident(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestPascal(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"canary", "Canary"}, {"resty.http_headers", "RestyHttpHeaders"}, {"001-init", "X001Init"},
		{"_base", "Base"}, {"", "Chunk"}, {"-", "Chunk"},
	} {
		if got := Pascal(tt.in); got != tt.want {
			t.Errorf("Pascal(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFileStem(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"canary", "canary"}, {"_base", "base"}, {"a-b.c", "a_b_c"}, {"...", "chunk"}, {"x_test", "x_test"},
	} {
		if got := FileStem(tt.in); got != tt.want {
			t.Errorf("FileStem(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDeclare(t *testing.T) {
	outer := NewScope(nil)
	if got := outer.Declare("x", true); got != "x" {
		t.Fatal(got)
	}
	if got := outer.Declare("x", true); got != "x2" {
		t.Errorf("a second x in one block is %q, want x2", got)
	}
	inner := NewScope(outer)
	if got := inner.Declare("x", true); got != "x" {
		t.Errorf("x that hides is %q, want x", got)
	}
	if got := NewScope(outer).Declare("x", false); got != "x3" {
		t.Errorf("x that must not hide is %q, want x3", got)
	}
}
