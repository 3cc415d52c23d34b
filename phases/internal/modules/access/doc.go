// Package access is ngx_http_access_module: allow and deny.
package access
