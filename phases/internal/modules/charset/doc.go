// Package charset is ngx_http_charset_filter_module, as far as it names a charset.
package charset
