// Package resolver asks name servers for the addresses of names, as nginx's
// resolver does (ngx_resolver.c): its own cache, its own words for what fails.
package resolver
