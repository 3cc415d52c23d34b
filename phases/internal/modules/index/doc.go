// Package index is ngx_http_index_module: the file that stands for a folder.
package index
