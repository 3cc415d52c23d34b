package known

// files are the names of dynamic modules that differ from the modules' own.
var files = map[string]string{
	"ndk_http_module":                      "ngx_devel_kit",
	"ngx_http_lua_module":                  "lua-nginx-module",
	"ngx_http_echo_module":                 "echo-nginx-module",
	"ngx_http_headers_more_filter_module":  "headers-more-nginx-module",
	"ngx_http_set_misc_module":             "set-misc-nginx-module",
	"ngx_http_encrypted_session_module":    "encrypted-session-nginx-module",
	"ngx_http_array_var_module":            "array-var-nginx-module",
	"ngx_http_iconv_module":                "iconv-nginx-module",
	"ngx_http_memc_module":                 "memc-nginx-module",
	"ngx_http_redis2_module":               "redis2-nginx-module",
	"ngx_http_srcache_filter_module":       "srcache-nginx-module",
	"ngx_http_xss_filter_module":           "xss-nginx-module",
	"ngx_http_form_input_module":           "form-input-nginx-module",
	"ngx_http_brotli_filter_module":        "ngx_brotli",
	"ngx_http_brotli_static_module":        "ngx_brotli",
	"ngx_http_zstd_filter_module":          "zstd-nginx-module",
	"ngx_http_zstd_static_module":          "zstd-nginx-module",
	"ngx_http_geoip2_module":               "ngx_http_geoip2_module",
	"ngx_http_vhost_traffic_status_module": "nginx-module-vts",
	"ngx_http_js_module":                   "njs",
	"ngx_stream_js_module":                 "njs",
	"ngx_rtmp_module":                      "nginx-rtmp-module",
	"ngx_http_modsecurity_module":          "ModSecurity-nginx",
	"ngx_pagespeed":                        "ngx_pagespeed",
	"ngx_http_cache_purge_module":          "ngx_cache_purge",
	"ngx_http_dav_ext_module":              "nginx-dav-ext-module",
	"ngx_http_fancyindex_module":           "ngx-fancyindex",
	"ngx_http_auth_pam_module":             "ngx_http_auth_pam_module",
	"ngx_http_subs_filter_module":          "ngx_http_substitutions_filter_module",
	"ngx_http_upstream_fair_module":        "nginx-upstream-fair",
	"ngx_http_upload_module":               "nginx-upload-module",
	"ngx_http_uploadprogress_module":       "nginx-upload-progress-module",
	"ngx_nchan_module":                     "nchan",
	"ngx_otel_module":                      "nginx-otel",
	"ngx_http_opentracing_module":          "nginx-opentracing",
	"ngx_stream_lua_module":                "ngx_stream_module",
	"ngx_stream_geoip_module":              "ngx_stream_module",
	"ngx_stream_geoip2_module":             "ngx_stream_module",
	"ngx_http_xslt_filter_module":          "ngx_http_xslt_module",
	"ngx_http_headers_filter_module":       "ngx_http_headers_module",
}

// addons are modules that others than nginx's authors wrote, or that are no part of nginx's sources:
// those of OpenResty first, then by name.
var addons = []group{
	{"OpenResty's nginx", false, `log_escape_non_ascii no_error_pages`},
	{"ngx_devel_kit", false, ``},
	{"lua-nginx-module", false, `access_by_lua access_by_lua_block access_by_lua_file
		access_by_lua_no_postpone balancer_by_lua_block balancer_by_lua_file balancer_keepalive
		body_filter_by_lua body_filter_by_lua_block body_filter_by_lua_file content_by_lua
		content_by_lua_block content_by_lua_file exit_worker_by_lua_block exit_worker_by_lua_file
		header_filter_by_lua header_filter_by_lua_block header_filter_by_lua_file init_by_lua
		init_by_lua_block init_by_lua_file init_worker_by_lua init_worker_by_lua_block
		init_worker_by_lua_file log_by_lua log_by_lua_block log_by_lua_file lua_capture_error_log
		lua_check_client_abort lua_code_cache lua_fake_shm lua_http10_buffering lua_load_resty_core
		lua_malloc_trim lua_max_pending_timers lua_max_running_timers lua_need_request_body
		lua_package_cpath lua_package_path lua_regex_cache_max_entries lua_regex_match_limit lua_sa_restart
		lua_shared_dict lua_socket_buffer_size lua_socket_connect_timeout lua_socket_keepalive_timeout
		lua_socket_log_errors lua_socket_pool_size lua_socket_read_timeout lua_socket_send_lowat
		lua_socket_send_timeout lua_ssl_certificate lua_ssl_certificate_key lua_ssl_ciphers
		lua_ssl_conf_command lua_ssl_crl lua_ssl_key_log lua_ssl_protocols lua_ssl_trusted_certificate
		lua_ssl_verify_depth lua_thread_cache_max_entries lua_transform_underscores_in_response_headers
		lua_upstream_skip_openssl_default_verify lua_use_default_type lua_worker_thread_vm_pool_size
		precontent_by_lua_block precontent_by_lua_file precontent_by_lua_no_postpone
		proxy_ssl_certificate_by_lua_block proxy_ssl_certificate_by_lua_file proxy_ssl_verify_by_lua_block
		proxy_ssl_verify_by_lua_file rewrite_by_lua rewrite_by_lua_block rewrite_by_lua_file
		rewrite_by_lua_no_postpone server_rewrite_by_lua_block server_rewrite_by_lua_file set_by_lua
		set_by_lua_block set_by_lua_file ssl_certificate_by_lua_block ssl_certificate_by_lua_file
		ssl_client_hello_by_lua_block ssl_client_hello_by_lua_file ssl_session_fetch_by_lua_block
		ssl_session_fetch_by_lua_file ssl_session_store_by_lua_block ssl_session_store_by_lua_file`},
	{"echo-nginx-module", false, `echo echo_abort_parent echo_after_body echo_before_body
		echo_blocking_sleep echo_duplicate echo_end echo_exec echo_flush echo_foreach_split echo_location
		echo_location_async echo_read_request_body echo_request_body echo_reset_timer echo_sleep echo_status
		echo_subrequest echo_subrequest_async`},
	{"headers-more-nginx-module", false, `more_clear_headers more_clear_input_headers more_set_headers
		more_set_input_headers`},
	{"set-misc-nginx-module", true, `set_base32_alphabet set_decode_base32 set_decode_base64
		set_decode_base64url set_decode_hex set_encode_base32 set_encode_base64 set_encode_base64url
		set_encode_hex set_escape_uri set_formatted_gmt_time set_formatted_local_time set_hashed_upstream
		set_hex set_hmac_sha1 set_hmac_sha256 set_if_empty set_local_today set_md5 set_misc_base32_padding
		set_quote_json_str set_quote_pgsql_str set_quote_sql_str set_random set_rotate
		set_secure_random_alphanum set_secure_random_lcalpha set_sha1 set_unescape_uri`},
	{"array-var-nginx-module", true, `array_join array_map array_map_op array_split`},
	{"drizzle-nginx-module", true, `drizzle_buffer_size drizzle_connect_timeout drizzle_dbname
		drizzle_keepalive drizzle_module_header drizzle_pass drizzle_query drizzle_recv_cols_timeout
		drizzle_recv_rows_timeout drizzle_send_query_timeout drizzle_server drizzle_status`},
	{"encrypted-session-nginx-module", true, `encrypted_session_expires encrypted_session_iv
		encrypted_session_key set_decrypt_session set_encrypt_session`},
	{"form-input-nginx-module", true, `set_form_input set_form_input_multi`},
	{"iconv-nginx-module", true, `iconv_buffer_size iconv_filter set_iconv`},
	{"memc-nginx-module", false, `memc_buffer_size memc_cmds_allowed memc_connect_timeout
		memc_flags_to_last_modified memc_ignore_client_abort memc_next_upstream memc_pass memc_read_timeout
		memc_send_timeout memc_upstream_fail_timeout memc_upstream_max_fails`},
	{"postgres-nginx-module", true, `postgres_escape postgres_keepalive postgres_output postgres_pass
		postgres_query postgres_rewrite postgres_server postgres_set`},
	{"rds-csv-nginx-module", true, `rds_csv rds_csv_buffer_size rds_csv_content_type
		rds_csv_field_name_header rds_csv_field_separator rds_csv_row_terminator`},
	{"rds-json-nginx-module", true, `rds_json rds_json_buffer_size rds_json_content_type
		rds_json_errcode_key rds_json_errstr_key rds_json_format rds_json_ret rds_json_root
		rds_json_success_property rds_json_user_property`},
	{"redis-nginx-module", true, `redis_bind redis_buffer_size redis_connect_timeout redis_gzip_flag
		redis_next_upstream redis_pass redis_read_timeout redis_send_timeout`},
	{"redis2-nginx-module", true, `redis2_bind redis2_buffer_size redis2_connect_timeout
		redis2_literal_raw_query redis2_next_upstream redis2_pass redis2_query redis2_raw_queries
		redis2_raw_query redis2_read_timeout redis2_send_timeout`},
	{"srcache-nginx-module", true, `srcache_buffer srcache_default_expire srcache_fetch srcache_fetch_skip
		srcache_header_buffer_size srcache_ignore_content_encoding srcache_max_expire srcache_methods
		srcache_request_cache_control srcache_response_cache_control srcache_store srcache_store_hide_header
		srcache_store_max_size srcache_store_no_cache srcache_store_no_store srcache_store_pass_header
		srcache_store_private srcache_store_ranges srcache_store_skip srcache_store_statuses`},
	{"xss-nginx-module", true, `xss_callback_arg xss_check_status xss_get xss_input_types xss_output_type
		xss_override_status`},
	{"ModSecurity-nginx", true, `modsecurity modsecurity_rules modsecurity_rules_file
		modsecurity_rules_remote modsecurity_transaction_id modsecurity_use_error_log`},
	{"naxsi", true, `BasicRule CheckRule DeniedUrl LearningMode MainRule SecRulesDisabled SecRulesEnabled`},
	{"nchan", true, `nchan_authorize_request nchan_channel_group nchan_channel_id
		nchan_message_buffer_length nchan_message_timeout nchan_publisher nchan_publisher_location
		nchan_pubsub nchan_redis_pass nchan_redis_url nchan_store_messages nchan_stub_status
		nchan_subscriber nchan_subscriber_channel_id nchan_subscriber_timeout`},
	{"nginx-dav-ext-module", true, `dav_ext_lock dav_ext_lock_zone dav_ext_methods`},
	{"nginx-module-vts", true, `vhost_traffic_status vhost_traffic_status_bypass_limit
		vhost_traffic_status_bypass_stats vhost_traffic_status_display vhost_traffic_status_display_format
		vhost_traffic_status_display_jsonp vhost_traffic_status_display_sum_key vhost_traffic_status_dump
		vhost_traffic_status_filter vhost_traffic_status_filter_by_host
		vhost_traffic_status_filter_by_set_key vhost_traffic_status_filter_check_duplicate
		vhost_traffic_status_filter_max_node vhost_traffic_status_histogram_buckets
		vhost_traffic_status_limit vhost_traffic_status_limit_check_duplicate
		vhost_traffic_status_limit_traffic vhost_traffic_status_limit_traffic_by_set_key
		vhost_traffic_status_set_by_filter vhost_traffic_status_zone`},
	{"nginx-opentracing", true, `opentracing opentracing_grpc_propagate_context opentracing_load_tracer
		opentracing_location_operation_name opentracing_operation_name opentracing_propagate_context
		opentracing_tag opentracing_trace_locations opentracing_trust_incoming_span`},
	{"nginx-otel", true, `otel_exporter otel_resource_attr otel_service_name otel_span_attr otel_span_name
		otel_trace otel_trace_context`},
	{"nginx-rtmp-module", true, `rtmp rtmp_auto_push rtmp_auto_push_reconnect rtmp_control rtmp_socket_dir
		rtmp_stat rtmp_stat_stylesheet`},
	{"nginx-sticky-module-ng", true, `sticky_no_fallback sticky_hide_cookie`},
	{"nginx_upstream_check_module", true, `check check_fastcgi_param check_http_expect_alive check_http_send
		check_keepalive_requests check_shm_size check_status`},
	{"nginx-upload-module", true, `upload_add_header upload_aggregate_form_field upload_buffer_size
		upload_cleanup upload_limit_rate upload_max_file_size upload_max_output_body_len
		upload_max_part_header_len upload_merge_buffer_size upload_pass upload_pass_args
		upload_pass_form_field upload_resumable upload_set_form_field upload_state_store upload_store
		upload_store_access upload_tame_arrays`},
	{"nginx-upload-progress-module", true, `report_uploads track_uploads upload_progress
		upload_progress_content_type upload_progress_header upload_progress_java_output
		upload_progress_json_output upload_progress_jsonp_output upload_progress_jsonp_parameter
		upload_progress_template`},
	{"nginx-upstream-fair", true, `fair upstream_fair_shm_size`},
	{"ngx_brotli", true, `brotli brotli_buffers brotli_comp_level brotli_min_length brotli_static
		brotli_types brotli_window`},
	{"ngx_cache_purge", true, `cache_purge_response_type fastcgi_cache_purge proxy_cache_purge
		scgi_cache_purge uwsgi_cache_purge`},
	{"ngx-fancyindex", true, `fancyindex fancyindex_css_href fancyindex_default_sort
		fancyindex_directories_first fancyindex_exact_size fancyindex_footer fancyindex_header
		fancyindex_hide_symlinks fancyindex_ignore fancyindex_localtime fancyindex_name_length
		fancyindex_show_dotfiles fancyindex_show_path fancyindex_time_format`},
	{"ngx_http_acme_module", true, `acme_certificate acme_issuer acme_shared_zone`},
	{"ngx_http_auth_digest_module", true, `auth_digest auth_digest_drop_time auth_digest_evasion_time
		auth_digest_expires auth_digest_maxtries auth_digest_replays auth_digest_shm_size
		auth_digest_timeout auth_digest_user_file`},
	{"ngx_http_auth_ldap_module", true, `auth_ldap auth_ldap_cache_enabled auth_ldap_cache_expiration_time
		auth_ldap_cache_size auth_ldap_servers auth_ldap_servers_size ldap_server`},
	{"ngx_http_auth_pam_module", true, `auth_pam auth_pam_service_name auth_pam_set_pam_env`},
	{"ngx_http_concat_module", true, `concat concat_delimiter concat_ignore_file_error concat_max_files
		concat_types concat_unique`},
	{"ngx_http_consistent_hash", true, `consistent_hash`},
	{"ngx_http_dyups_module", true, `dyups_interface dyups_read_msg_log dyups_read_msg_timeout
		dyups_shm_zone_size dyups_trylock dyups_upstream_conf`},
	{"ngx_http_footer_filter_module", true, `footer footer_types`},
	{"ngx_http_geoip2_module", true, `geoip2 geoip2_proxy geoip2_proxy_recursive`},
	{"ngx_http_google_filter_module", true, `google google_scholar google_language google_ssl_off`},
	{"ngx_http_proxy_connect_module", true, `proxy_connect proxy_connect_address proxy_connect_allow
		proxy_connect_bind proxy_connect_data_timeout proxy_connect_response proxy_connect_send_timeout`},
	{"ngx_http_reqstat_module", true, `req_status req_status_show req_status_show_field req_status_zone
		req_status_zone_add_indicator`},
	{"ngx_http_substitutions_filter_module", true, `subs_buffers subs_filter subs_filter_bypass
		subs_filter_types subs_line_buffer_size`},
	{"ngx_http_sysguard_module", true, `sysguard sysguard_interval sysguard_load sysguard_log_level
		sysguard_mem`},
	{"ngx_http_upstream_jdomain_module", true, `jdomain`},
	{"ngx_pagespeed", true, `pagespeed`},
	{"njs", true, `js_access js_body_filter js_content js_context_reuse js_engine js_fetch_buffer_size
		js_fetch_ciphers js_fetch_keepalive js_fetch_max_response_buffer_size js_fetch_protocols
		js_fetch_proxy js_fetch_timeout js_fetch_trusted_certificate js_fetch_verify js_fetch_verify_depth
		js_header_filter js_import js_include js_load_http_native_module js_path js_periodic
		js_preload_object js_set js_shared_dict_zone js_var`},
	{"Phusion Passenger", true, `passenger_app_env passenger_app_root passenger_enabled
		passenger_max_pool_size passenger_min_instances passenger_python passenger_root passenger_ruby`},
	{"Kong", true, `lua_kong_error_log_request_id lua_kong_load_var_index lua_kong_set_static_tag`},
	{"apisix-nginx-module", true, `apisix_delay_client_max_body_check apisix_mirror_on_demand gm_certificate
		set_apisix_request_body lua_apisix_client_body_read`},
	{"tengine", true, `dso server_info user_agent trim trim_css trim_js slab_stat eval_escalate`},
	{"zstd-nginx-module", true, `zstd zstd_buffers zstd_comp_level zstd_dict_file zstd_min_length
		zstd_static zstd_types`},
}
