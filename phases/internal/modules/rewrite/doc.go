// Package rewrite is ngx_http_rewrite_module: set, if, rewrite, return and break.
package rewrite
