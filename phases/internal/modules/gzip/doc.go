// Package gzip is ngx_http_gzip_filter_module.
package gzip
