package program

import (
	"slices"
	"testing"
)

func TestTemplatesIn(t *testing.T) {
	for _, tt := range []struct {
		src           string
		sure, guessed []string
	}{
		{`local x = "?.lua"`, nil, nil},
		{`package.path = "/a/?.lua;/b/?/init.lua;" .. package.path`, []string{"/a/?.lua", "/b/?/init.lua"}, nil},
		{`package.path = package.path .. ";./lib/?.lua"`, []string{"./lib/?.lua"}, nil},
		{`package.path = dir .. "/lib/?.lua;" .. package.path`, []string{"/lib/?.lua"}, []string{"/s/lib/?.lua", "/p/lib/?.lua"}},
		{`package.path = arg[0]:match("(.*/)") .. '?.lua;/x/?.lua;' .. package.path`, []string{"?.lua", "/x/?.lua"}, []string{"/s/?.lua", "/p/?.lua"}},
		{`package.path = ("%s/?.lua;%s"):format(dir, package.path)`, nil, []string{"/s/?.lua", "/p/?.lua"}},
		{`package.path = [[/a/?.lua]]`, nil, nil},
	} {
		sure, guessed := templatesIn([]byte(tt.src), "/s", "/p")
		if !slices.Equal(sure, tt.sure) || !slices.Equal(guessed, tt.guessed) {
			t.Errorf("%s: %q, %q; want %q, %q", tt.src, sure, guessed, tt.sure, tt.guessed)
		}
	}
}
