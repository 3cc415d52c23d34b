// Package ngxtext reads and writes texts, numbers and dates byte for byte as
// nginx's own library and ngx_lua do (ngx_string.c, ngx_parse.c, ngx_times.c).
package ngxtext
