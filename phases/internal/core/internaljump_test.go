package core

import "testing"

func TestOpenTarget(t *testing.T) {
	tests := []struct {
		text, uri, args string
		ok              bool
	}{
		{"/a?b=%41", "/a", "b=%41", true},
		{"/a%20b%2Fc?x", "/a b/c", "x", true},
		{"/a%3Fb", "/a?b", "", true},
		{"/a/%zz%4z1%", "/a/zz1", "", true},
		{"/a?../b", "/a", "../b", true},
		{"/..a/b../...", "/..a/b../...", "", true},
		{"a/b", "a/b", "", true},
		{"", "", "", false},
		{"?a", "", "", false},
		{"%", "", "", false},
		{"..", "", "", false},
		{"../a", "", "", false},
		{"/a/..", "", "", false},
		{"/a/..?b", "", "", false},
		{"/a/../b", "", "", false},
		{"/a...../../b", "", "", false},
		{"/a/%2e%2E/b", "", "", false},
		{"/a/..%2fb", "", "", false},
		{"%2e%2e/a", "", "", false},
		{"/a%00", "", "", false},
		{"/a\x00b", "", "", false},
	}
	for _, tt := range tests {
		uri, args, ok := OpenTarget(tt.text)
		if uri != tt.uri && ok || args != tt.args && ok || ok != tt.ok {
			t.Errorf("openTarget(%q) = %q, %q, %v", tt.text, uri, args, ok)
		}
	}
}
