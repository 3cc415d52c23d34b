package phases

// allModules is the list of the modules, in the order of nginx's ngx_modules.c:
// what stands last is asked first. Each place has its reason.
func allModules() []*Module {
	return []*Module{
		opensslModule, // what others' TLS connections need

		logModule, // behind log_by_lua
		upstreamModule,
		http2Module,
		sslModule, // its configurations are built when ngx_lua has put its hooks in

		// Content: an index moves the request on, a listing is for want of one,
		// and what both leave is a file.
		staticModule,
		autoindexModule,
		indexModule,

		tryFilesModule,

		// Access: addresses are looked at before anybody is asked.
		authRequestModule,
		accessModule,

		geoModule,
		mapModule,
		rewriteModule, // behind server_rewrite_by_lua

		// Proxies, and how they choose among the peers of an upstream.
		proxyModule,
		upstreamHashModule,
		upstreamIPHashModule,
		upstreamLeastConnModule,
		upstreamKeepaliveModule,
		upstreamZoneModule,

		// Filters of the main request's bytes. Ranges are of what gzip leaves alone.
		rangeHeaderModule,
		gzipModule,

		// Filters of each request's own response.
		charsetModule,
		headersModule, // add_header is not what header_filter_by_lua changes
		echoModule,
		luaModule,
		headersMoreModule,
		echoBodyModule,
		rangeBodyModule,
		notModifiedModule, // before all others: a 304 has nothing to filter
	}
}
