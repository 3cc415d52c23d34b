// Package lua is ngx_http_lua_module: the phases' handlers, the states and threads
// that run compiled chunks, and the ngx API.
package lua
