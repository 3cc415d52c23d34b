// Package compat says which OpenResty is spoken, and what hangs on it. All that
// differs between the releases stands in one table (features.go); whoever acts on a
// difference asks the Stack of the configuration when that is compiled, not a version.
package compat

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// Env names the variable of the environment that overrules the directive compat, for
// harnesses whose configurations are not ours to edit.
const Env = "MOONPHASE_COMPAT"

// Version is a release as nginx and ngx_lua count them: 1022001 is nginx 1.22.1,
// 10023 is ngx_lua 0.10.23.
type Version int

// Stack is one release of nginx with the ngx_lua that belongs to it.
type Stack struct {
	Release string // "1.31.1", the argument of compat and $nginx_version
	Nginx   Version
	Lua     Version
	Product string // what the Server header and the error pages say with server_tokens on

	RestyCore string // version of lua-resty-core
	JIT       string // jit.version
	JITNumber int    // jit.version_num
	Lua52     bool   // LuaJIT was built with the switch of that name
}

// Name is Product without its version: server_tokens off.
func (s *Stack) Name() string {
	name, _, _ := strings.Cut(s.Product, "/")
	return name
}

// Has tells whether the stack does what the feature says.
func (s *Stack) Has(f Feature) bool {
	row := &features[f]
	return s.Nginx >= row.nginx && s.Lua >= row.lua
}

// stacks are those that answers were recorded from, the newest first.
var stacks = []*Stack{
	{"1.31.1", 1031001, 10032, "openresty/1.31.1.1", "0.1.33", "LuaJIT 2.1.1710398010", 20199, true},
	{"1.22.1", 1022001, 10023, "nginx/1.22.1", "0.1.25", "LuaJIT 2.1.0-beta3", 20100, false}, // Debian 12
}

// Newest is what is spoken when nobody says otherwise.
func Newest() *Stack { return stacks[0] }

// Oldest is the other end of the range.
func Oldest() *Stack { return stacks[len(stacks)-1] }

// Find is the stack with that release. The error lists those that there are.
func Find(release string) (*Stack, error) {
	var known []string
	for _, s := range stacks {
		if s.Release == release {
			return s, nil
		}
		known = append(known, s.Release)
	}
	return nil, fmt.Errorf("no such version \"%s\" of nginx to be compatible with, there are %s", release, strings.Join(known, " and "))
}

// Choose is the stack that the environment names, else release, the argument of
// compat, else the newest.
func Choose(release string) (*Stack, error) {
	return Find(cmp.Or(os.Getenv(Env), release, Newest().Release))
}
