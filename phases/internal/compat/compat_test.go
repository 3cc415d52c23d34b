package compat

import "testing"

func TestChoose(t *testing.T) {
	for _, c := range []struct{ env, release, want string }{
		{"", "", "1.31.1"},
		{"", "1.22.1", "1.22.1"},
		{"1.22.1", "1.31.1", "1.22.1"},
	} {
		t.Setenv(Env, c.env)
		if s, err := Choose(c.release); err != nil || s.Release != c.want {
			t.Errorf("Choose(%q) with %s=%q is %v, %v, want %s", c.release, Env, c.env, s, err, c.want)
		}
	}
	t.Setenv(Env, "")
	want := `no such version "1.2" of nginx to be compatible with, there are 1.31.1 and 1.22.1`
	if _, err := Choose("1.2"); err == nil || err.Error() != want {
		t.Errorf("an unknown version gives %v", err)
	}
}

// TestFeatures: each row tells the stacks apart, and says what it is.
func TestFeatures(t *testing.T) {
	for f, row := range features {
		if row.does == "" {
			t.Errorf("feature %d says nothing", f)
		}
		if f := Feature(f); !Newest().Has(f) || Oldest().Has(f) {
			t.Errorf("no difference: %s", row.does)
		}
	}
}

func TestName(t *testing.T) {
	if got := Newest().Name(); got != "openresty" {
		t.Errorf("Name is %q", got)
	}
}

// TestNames: each listed name tells the stacks apart.
func TestNames(t *testing.T) {
	for name := range names {
		if Newest().Knows(name) == Oldest().Knows(name) {
			t.Errorf("no difference: %s", name)
		}
	}
	if !Oldest().Knows("server_name") || !Newest().Knows("$uri") {
		t.Error("what all have is not known")
	}
}
