// Package phases is the server: it compiles an nginx.conf into locations, scripts,
// variables and handlers, takes requests through nginx's phases, and gives the Lua
// chunks of the configuration the ngx API.
//
// What stands here is the face: all else is in the rooms below internal. The life of
// a request: a connection of serve parses the head into a pooled core.Request and calls
// its Serve, which walks the ordered phases (internal/core/engine.go) on the
// connection's goroutine. A handler of lua takes a worker's baton for as long as its Lua
// code runs (internal/lua/run.go) and gives it up in every wait. Output leaves through
// SendHeader and Output (internal/core/filter.go) into the Downstream, which belongs to
// the connection.
package phases
