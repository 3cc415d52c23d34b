// Package maps is ngx_http_map_module. (The folder is named as the module; map is a
// word of Go.)
package maps
