// Package proxy is ngx_http_proxy_module.
package proxy
