package runtime

import (
	"math"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Expected strings are what LuaJIT prints.
func TestNumberString(t *testing.T) {
	tests := []struct {
		f    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1e14, "1e+14"}, {1e15, "1e+15"},
		{123456789012345, "1.2345678901235e+14"}, {1e100, "1e+100"}, {0.1, "0.1"},
		{1.0 / 3, "0.33333333333333"}, {1e13 + 0.5, "10000000000001"}, {99999999999999, "99999999999999"},
		{123456789.125, "123456789.125"}, {1e-5, "1e-05"}, {1e-4, "0.0001"}, {0.00012345, "0.00012345"},
		{1 << 53, "9.007199254741e+15"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"},
		{-1.5, "-1.5"}, {255, "255"}, {256, "256"}, {1e-310, "1e-310"},
	}
	for _, tt := range tests {
		if got := NumberString(tt.f); got != tt.want {
			t.Errorf("NumberString(%v) = %q, want %q", tt.f, got, tt.want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	tests := []struct {
		s    string
		want float64
		ok   bool
	}{
		{"0x", 0, false}, {"1e", 0, false}, {"0b11", 3, true}, {"0x1p4", 16, true}, {"inf", math.Inf(1), true},
		{"-inf", math.Inf(-1), true}, {"infinity", math.Inf(1), true}, {" 12 ", 12, true}, {"1 2", 0, false},
		{"0x.8", .5, true}, {"0x1.8", 1.5, true}, {"1e400", math.Inf(1), true}, {"1_000", 0, false}, {"- 1", 0, false},
		{"+1", 1, true}, {"0xffffffffffffffffff", 4722366482869645213695, true}, {"12LL", 0, false}, {"1i", 0, false},
		{"", 0, false}, {".", 0, false}, {"5.", 5, true}, {".5", .5, true}, {"\x00", 0, false}, {"1\x00", 0, false},
		{"--1", 0, false}, {"0x-1", 0, false}, {"-0x10", -16, true}, {"1e+5", 1e5, true}, {"0x1p+4", 16, true},
	}
	for _, tt := range tests {
		got, ok := ParseNumber(tt.s)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("ParseNumber(%q) = %v, %v, want %v, %v", tt.s, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzNumberString checks that %.14g is as near as strconv's 14 digits; a tie may go
// the other way.
func FuzzNumberString(f *testing.F) {
	f.Add(0.1)
	f.Add(1e22)
	f.Fuzz(func(t *testing.T, x float64) {
		if x != x || math.IsInf(x, 0) {
			return
		}
		want, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 13, 64), 64)
		got, ok := ParseNumber(NumberString(x))
		if !ok || math.Abs(got-x) > math.Abs(want-x) {
			t.Fatalf("%v prints as %q", x, NumberString(x))
		}
	})
}

// TestNumberOracle compares with LuaJIT where it is installed.
func TestNumberOracle(t *testing.T) {
	luajit, err := exec.LookPath("luajit")
	if err != nil {
		t.Skip("no luajit")
	}
	var script, want strings.Builder
	for e := -320; e <= 308; e += 3 {
		for _, m := range []float64{1, 1.5, 9.99999999999999, 1.23456789012345678} {
			x := m * math.Pow(10, float64(e))
			script.WriteString("print(" + strconv.FormatFloat(x, 'g', 17, 64) + ")\n")
			want.WriteString(NumberString(x) + "\n")
		}
	}
	cmd := exec.Command(luajit, "-")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != want.String() {
		a, b := strings.Split(string(out), "\n"), strings.Split(want.String(), "\n")
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("LuaJIT prints %q, we print %q", a[i], b[i])
			}
		}
	}
}
