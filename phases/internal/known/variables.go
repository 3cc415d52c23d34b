package known

import "strings"

// Variables are those of nginx 1.31, with their modules. The families ($http_NAME and the like) are not
// among them.
var Variables = func() map[string]string {
	m := map[string]string{}
	for module, names := range variables {
		for _, name := range strings.Fields(names) {
			m[name] = module
		}
	}
	return m
}()

var variables = map[string]string{
	"ngx_http_core_module": `args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests connection_time
		content_length content_type document_root document_uri host hostname https is_args is_request_port limit_rate msec
		nginx_version pid pipe proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr
		proxy_protocol_server_port query_string realpath_root remote_addr remote_port remote_user request request_body
		request_body_file request_completion request_filename request_id request_length request_method request_port
		request_time request_uri scheme server_addr server_name server_port server_protocol status tcpinfo_rcv_space
		tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd time_iso8601 time_local uri`,
	"ngx_http_browser_module": `ancient_browser modern_browser msie`,
	"ngx_http_fastcgi_module": `fastcgi_path_info fastcgi_script_name`,
	"ngx_http_geoip_module": `geoip_area_code geoip_city geoip_city_continent_code
		geoip_city_country_code geoip_city_country_code3 geoip_city_country_name geoip_country_code geoip_country_code3 geoip_country_name
		geoip_dma_code geoip_latitude geoip_longitude geoip_org geoip_postal_code geoip_region geoip_region_name`,
	"ngx_http_gzip_module":        `gzip_ratio`,
	"ngx_http_limit_conn_module":  `limit_conn_status`,
	"ngx_http_limit_req_module":   `limit_req_status`,
	"ngx_http_memcached_module":   `memcached_key`,
	"ngx_http_proxy_module":       `proxy_add_x_forwarded_for proxy_host proxy_port`,
	"ngx_http_realip_module":      `realip_remote_addr realip_remote_port`,
	"ngx_http_referer_module":     `invalid_referer`,
	"ngx_http_secure_link_module": `secure_link secure_link_expires`,
	"ngx_http_slice_module":       `slice_range`,
	"ngx_http_ssi_module":         `date_gmt date_local`,
	"ngx_http_ssl_module": `ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_cert ssl_client_escaped_cert
		ssl_client_fingerprint ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn
		ssl_client_s_dn_legacy ssl_client_serial ssl_client_sigalg ssl_client_v_end ssl_client_v_remain
		ssl_client_v_start ssl_client_verify ssl_curve ssl_curves ssl_early_data ssl_ech_outer_server_name ssl_ech_status
		ssl_protocol ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg ssl_sigalgs`,
	"ngx_http_stub_status_module": `connections_active connections_reading connections_waiting connections_writing`,
	"ngx_http_upstream_module": `upstream_addr upstream_bytes_received upstream_bytes_sent upstream_cache_age upstream_cache_etag
		upstream_cache_key upstream_cache_last_modified upstream_cache_status upstream_connect_time upstream_header_time
		upstream_response_length upstream_response_time upstream_status`,
	"ngx_http_userid_module": `uid_got uid_reset uid_set`,
	"ngx_http_v2_module":     `http2`,
	"ngx_http_v3_module":     `http3`,
}
