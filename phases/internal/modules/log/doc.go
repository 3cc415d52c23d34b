// Package log is ngx_http_log_module: access_log and log_format.
package log
