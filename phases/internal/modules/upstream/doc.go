// Package upstream is groups of servers: their peers and the methods that choose
// among them, kept connections, the reading of a response, and $upstream_ variables
// (ngx_http_upstream.c with the modules around it).
package upstream
