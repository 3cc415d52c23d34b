// Package ssl is ngx_http_ssl_module: TLS of servers, its variables, and the check
// of clients' certificates.
package ssl
