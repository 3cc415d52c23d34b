package manual

import "strings"

// defaults are what holds where a directive does not stand, as it would be written: nginx's and ngx_lua's own
// values. TestDefaults compares them with what an empty configuration is compiled to. A directive that
// does nothing where it does not stand has no line; one of upstream{} has "upstream " before its name.
var defaults = parseDefaults(`
accept_mutex off
accept_mutex_delay 500ms
daemon on
error_log logs/error.log error
lock_file logs/nginx.lock
master_process on
multi_accept off
pcre_jit off
pid logs/nginx.pid
thread_pool default threads=32 max_queue=65536
worker_aio_requests 32
worker_connections 512
worker_processes 1

absolute_redirect on
aio off
aio_write off
auth_delay 0s
chunked_transfer_encoding on
client_body_buffer_size 16k
client_body_in_file_only off
client_body_in_single_buffer off
client_body_temp_path client_body_temp
client_body_timeout 60s
client_header_buffer_size 1k
client_header_timeout 60s
client_max_body_size 1m
connection_pool_size 512
default_type text/plain
directio off
directio_alignment 512
disable_symlinks off
etag on
if_modified_since exact
ignore_invalid_headers on
keepalive_disable msie6
keepalive_min_timeout 0
keepalive_requests 1000
keepalive_time 1h
keepalive_timeout 75s
large_client_header_buffers 4 8k
limit_rate 0
limit_rate_after 0
lingering_close on
lingering_time 30s
lingering_timeout 5s
listen *:80
log_not_found on
log_subrequest off
merge_slashes on
msie_padding on
msie_refresh off
open_file_cache off
open_file_cache_errors off
open_file_cache_min_uses 1
open_file_cache_valid 60s
output_buffers 2 32k
port_in_redirect on
postpone_output 1460
read_ahead 0
recursive_error_pages off
request_pool_size 4k
reset_timedout_connection off
resolver_timeout 30s
root html
satisfy all
send_lowat 0
send_timeout 60s
sendfile off
sendfile_max_chunk 2m
server_name ""
server_name_in_redirect off
server_names_hash_max_size 512
server_tokens on
subrequest_output_buffer_size 4k
tcp_nodelay on
tcp_nopush off
types_hash_bucket_size 64
types_hash_max_size 1024
underscores_in_headers off
variables_hash_bucket_size 64
variables_hash_max_size 1024

access_log logs/access.log combined
addition_types text/html
ancient_browser_value 1
auth_basic off
auth_request off
autoindex off
autoindex_exact_size on
autoindex_format html
autoindex_localtime off
charset off
charset_types text/html text/xml text/plain text/vnd.wap.wml application/javascript application/rss+xml
create_full_put_path off
dav_access user:rw
dav_methods off
expires off
fastcgi_buffer_size 4k
fastcgi_buffering on
fastcgi_buffers 8 4k
fastcgi_cache off
fastcgi_cache_background_update off
fastcgi_cache_lock off
fastcgi_cache_lock_age 5s
fastcgi_cache_lock_timeout 5s
fastcgi_cache_methods GET HEAD
fastcgi_cache_min_uses 1
fastcgi_cache_revalidate off
fastcgi_cache_use_stale off
fastcgi_connect_timeout 60s
fastcgi_force_ranges off
fastcgi_ignore_client_abort off
fastcgi_intercept_errors off
fastcgi_keep_conn off
fastcgi_limit_rate 0
fastcgi_max_temp_file_size 1024m
fastcgi_next_upstream error timeout
fastcgi_next_upstream_timeout 0
fastcgi_next_upstream_tries 0
fastcgi_pass_request_body on
fastcgi_pass_request_headers on
fastcgi_read_timeout 60s
fastcgi_request_buffering on
fastcgi_send_lowat 0
fastcgi_send_timeout 60s
fastcgi_socket_keepalive off
fastcgi_store off
fastcgi_temp_path fastcgi_temp
gunzip off
gunzip_buffers 32 4k
gzip off
gzip_buffers 32 4k
gzip_comp_level 1
gzip_http_version 1.1
gzip_min_length 20
gzip_proxied off
gzip_static off
gzip_types text/html
gzip_vary off
http2 off
http2_body_preread_size 64k
http2_chunk_size 8k
http2_max_concurrent_pushes 10
http2_max_concurrent_streams 128
http2_push_preload off
http2_recv_buffer_size 256k
index index.html
limit_conn_dry_run off
limit_conn_log_level error
limit_conn_status 503
limit_req_dry_run off
limit_req_log_level error
limit_req_status 503
log_format combined '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
map_hash_max_size 2048
max_headers 1000
memcached_buffer_size 4k
memcached_connect_timeout 60s
memcached_next_upstream error timeout
memcached_next_upstream_timeout 0
memcached_next_upstream_tries 0
memcached_read_timeout 60s
memcached_send_timeout 60s
memcached_socket_keepalive off
mirror off
mirror_request_body on
open_log_file_cache off
override_charset off
proxy_buffer_size 4k
proxy_buffering on
proxy_buffers 8 4k
proxy_cache off
proxy_cache_background_update off
proxy_cache_convert_head on
proxy_cache_key $scheme$proxy_host$request_uri
proxy_cache_lock off
proxy_cache_lock_age 5s
proxy_cache_lock_timeout 5s
proxy_cache_methods GET HEAD
proxy_cache_min_uses 1
proxy_cache_revalidate off
proxy_cache_use_stale off
proxy_connect_timeout 60s
proxy_cookie_domain off
proxy_cookie_flags off
proxy_cookie_path off
proxy_force_ranges off
proxy_headers_hash_bucket_size 64
proxy_headers_hash_max_size 512
proxy_http_version 1.1
proxy_ignore_client_abort off
proxy_intercept_errors off
proxy_limit_rate 0
proxy_max_temp_file_size 1024m
proxy_next_upstream error timeout
proxy_next_upstream_timeout 0
proxy_next_upstream_tries 0
proxy_pass_request_body on
proxy_pass_request_headers on
proxy_pass_trailers off
proxy_read_timeout 60s
proxy_redirect default
proxy_request_buffering on
proxy_send_lowat 0
proxy_send_timeout 60s
proxy_socket_keepalive off
proxy_ssl_ciphers DEFAULT
proxy_ssl_name $proxy_host
proxy_ssl_protocols TLSv1.2 TLSv1.3
proxy_ssl_server_name off
proxy_ssl_session_reuse on
proxy_ssl_verify off
proxy_ssl_verify_depth 1
proxy_store off
proxy_store_access user:rw
proxy_temp_path proxy_temp
random_index off
real_ip_header X-Real-IP
real_ip_recursive off
referer_hash_bucket_size 64
referer_hash_max_size 2048
rewrite_log off
scgi_temp_path scgi_temp
slice 0
ssi off
ssl_buffer_size 16k
ssl_ciphers HIGH:!aNULL:!MD5
ssl_early_data off
ssl_ecdh_curve auto
ssl_ocsp off
ssl_ocsp_cache off
ssl_prefer_server_ciphers off
ssl_protocols TLSv1.2 TLSv1.3
ssl_reject_handshake off
ssl_session_cache none
ssl_session_tickets on
ssl_session_timeout 5m
ssl_stapling off
ssl_stapling_verify off
ssl_verify_client off
ssl_verify_depth 1
sub_filter_last_modified off
sub_filter_once on
sub_filter_types text/html
uninitialized_variable_warn on
userid off
userid_domain none
userid_expires off
userid_flags off
userid_mark off
userid_name uid
userid_p3p none
userid_path /
uwsgi_temp_path uwsgi_temp

upstream keepalive_requests 1000
upstream keepalive_time 1h
upstream keepalive_timeout 60s
upstream resolver_timeout 30s

access_by_lua_no_postpone off
lua_capture_error_log 0
lua_check_client_abort off
lua_code_cache on
lua_http10_buffering on
lua_load_resty_core on
lua_malloc_trim 1000
lua_max_pending_timers 1024
lua_max_running_timers 256
lua_need_request_body off
lua_regex_cache_max_entries 1024
lua_regex_match_limit 0
lua_sa_restart on
lua_socket_buffer_size 4k
lua_socket_connect_timeout 60s
lua_socket_keepalive_timeout 60s
lua_socket_log_errors on
lua_socket_pool_size 30
lua_socket_read_timeout 60s
lua_socket_send_lowat 0
lua_socket_send_timeout 60s
lua_ssl_ciphers DEFAULT
lua_ssl_protocols TLSv1.2 TLSv1.3
lua_ssl_verify_depth 1
lua_thread_cache_max_entries 1024
lua_transform_underscores_in_response_headers on
lua_use_default_type on
lua_worker_thread_vm_pool_size 10
precontent_by_lua_no_postpone off
rewrite_by_lua_no_postpone off
lua_isolate_globals off
`)

// olderDefaults are those of nginx 1.22.1 that differ ("compat 1.22.1").
var olderDefaults = map[string]string{"proxy_http_version": "1.0"}

func parseDefaults(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		prefix := ""
		if rest, ok := strings.CutPrefix(line, "upstream "); ok && line != "upstream" {
			prefix, line = "upstream ", rest
		}
		if name, value, ok := strings.Cut(line, " "); ok {
			m[prefix+name] = value
		}
	}
	return m
}
