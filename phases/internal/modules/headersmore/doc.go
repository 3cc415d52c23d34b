// Package headersmore is ngx_headers_more: more_set_headers and its kin.
package headersmore
