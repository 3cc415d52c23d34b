// Package tlsclient is TLS towards servers: what lua_ssl_* and proxy_ssl_* have in
// common. Package tlsclient is TLS where this server is the client: the *_ssl_*
// directives of a family (proxy_ssl_, lua_ssl_), what they load and how a peer is
// judged (ngx_event_openssl.c).
package tlsclient
