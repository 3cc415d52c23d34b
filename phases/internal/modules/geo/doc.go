// Package geo is ngx_http_geo_module.
package geo
