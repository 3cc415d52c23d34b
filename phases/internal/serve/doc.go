// Package serve is the client's side: listeners, connections of HTTP/1 and HTTP/2,
// the PROXY protocol, and the life of the process with its signals
// (ngx_connection.c, ngx_process_cycle.c, src/http/v2).
package serve
