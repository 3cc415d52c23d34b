// Package phases is the server: it compiles an nginx.conf into locations,
// scripts, variables and handlers, takes requests through nginx's phases, and
// gives the Lua chunks of the configuration the ngx API.
//
// The life of a request: the connection loop parses the head into a pooled
// Request and calls Request.Serve. Serve walks the ordered phase table
// (phase.go) on the connection's goroutine; a Lua handler takes a worker's
// baton for as long as its Lua code runs (lua_run.go) and gives it up in
// every wait. Output leaves through SendHeader and Output (filter.go) into the
// Downstream, which belongs to the connection.
package phases
