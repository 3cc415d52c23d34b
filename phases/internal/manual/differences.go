package manual

// differences are what a directive does otherwise than nginx's, each in a few words; what is only accepted
// or refused is found out and not written here.
var differences = map[string]string{
	"compat":                    "which OpenResty is spoken: 1.31.1 or 1.22.1; the variable MOONPHASE_COMPAT of the environment goes before it",
	"geo":                       "no binary base of a large include",
	"mirror":                    "variables are those of when it begins",
	"http2_push":                "nothing is pushed",
	"http2_push_preload":        "nothing is pushed",
	"keepalive":                 "one pool for all workers, with room for as many connections as theirs together",
	"load_module":               "nothing is loaded; what OpenResty has as modules is built in",
	"lua_code_cache":            "off: a Lua state for each request; changed files need a new build",
	"lua_isolate_globals":       "each run of a handler has global variables of its own",
	"lua_load_resty_core":       "what lua-resty-core has is built in",
	"lua_package_cpath":         "there is no C in a built program",
	"proxy_buffering":           "a buffered response waits in memory and holds the upstream back",
	"proxy_max_temp_file_size":  "no temporary file is made",
	"proxy_ssl_ciphers":         "the order is crypto/tls's own; all suites of TLS 1.3 are spoken",
	"ssl_ciphers":               "the order is crypto/tls's own; all suites of TLS 1.3 are spoken",
	"ssl_prefer_server_ciphers": "the order is crypto/tls's own",
	"user":                      "root is given up for good: what a reload opens, it opens as that user",
	"worker_processes":          "workers are goroutines of one process, each with its Lua state",
}
