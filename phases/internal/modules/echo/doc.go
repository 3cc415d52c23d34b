// Package echo is the echo module (ngx_echo).
package echo
