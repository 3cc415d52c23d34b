// Package modules lists the modules in the order of nginx's ngx_modules.c, which is
// the order of their filters and handlers.
package modules
