package compat

import (
	"fmt"
	"strings"
)

// span is the releases that know a name: since from, and before until unless that is 0.
type span struct{ nginx, lua, until Version }

// patched is the release from which on we know OpenResty's own patches of nginx:
// Debian's nginx, which is the older stack, has none of them.
const patched Version = 1031001

// names are directives and, with a "$", variables that not all releases have. What all
// of them have is not here.
var names = map[string]span{
	"http2":                 {nginx: 1025001},
	"ssl":                   {until: 1025001},
	"early_hints":           {nginx: 1029000},
	"keepalive_min_timeout": {nginx: 1027004},
	"add_header_inherit":    {nginx: 1029003},
	"add_trailer_inherit":   {nginx: 1029003},
	"proxy_pass_trailers":   {nginx: 1027002},
	"sticky":                {nginx: 1029006},
	"least_time":            {nginx: 1031000},
	"no_error_pages":        {nginx: patched},
	"log_escape_non_ascii":  {nginx: patched},

	"$request_port":        {nginx: 1029003},
	"$is_request_port":     {nginx: 1029003},
	"$ssl_sigalg":          {nginx: 1029003},
	"$ssl_sigalgs":         {nginx: 1031000},
	"$ssl_client_sigalg":   {nginx: 1029003},
	"$proxy_protocol_tlv_": {nginx: 1023002},
}

// Knows tells whether the stack has the directive, or the variable or the prefix of a
// family of them, which is written with a "$".
func (s *Stack) Knows(name string) bool {
	row, listed := names[name]
	return !listed || s.Nginx >= row.nginx && s.Lua >= row.lua && (row.until == 0 || s.Nginx < row.until)
}

// Since says in words which release was the first to know a name, "" for one that all of them know or
// that is not listed, and which was the first not to know it any more.
func Since(name string) (since, until string) {
	row := names[name]
	return row.words(), row.until.nginx()
}

// words joins the versions that both must be reached.
func (s span) words() string {
	var list []string
	if v := s.nginx.nginx(); v != "" {
		list = append(list, v)
	}
	if s.lua != 0 {
		list = append(list, fmt.Sprintf("ngx_lua %d.%d.%d", s.lua/1000000, s.lua/1000%1000, s.lua%1000))
	}
	return strings.Join(list, " and ")
}

// nginx is v as a release of nginx, "" for 0.
func (v Version) nginx() string {
	switch v {
	case 0:
		return ""
	case patched:
		return "OpenResty's nginx"
	}
	return fmt.Sprintf("nginx %d.%d.%d", v/1000000, v/1000%1000, v%1000)
}

// Difference is what the newer releases do, and since when.
type Difference struct{ Does, Since string }

// Differences lists the features.
func Differences() (list []Difference) {
	for _, row := range features {
		list = append(list, Difference{row.does, span{nginx: row.nginx, lua: row.lua}.words()})
	}
	return list
}
