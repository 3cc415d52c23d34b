// Package rangefilter is ngx_http_range_filter_module: parts of a response, 206 and
// 416.
package rangefilter
