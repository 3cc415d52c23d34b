// Package authrequest is ngx_http_auth_request_module: a subrequest decides about
// access.
package authrequest
