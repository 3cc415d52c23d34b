// Package notmodified is ngx_http_not_modified_filter_module: conditional requests,
// 304 and 412.
package notmodified
