// Package static is ngx_http_static_module: a file is the answer.
package static
