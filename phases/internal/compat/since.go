package compat

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
