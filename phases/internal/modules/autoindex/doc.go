// Package autoindex is ngx_http_autoindex_module: the listing of a folder.
package autoindex
