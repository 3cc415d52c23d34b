// Package headers is ngx_http_headers_filter_module: add_header, add_trailer and
// expires.
package headers
