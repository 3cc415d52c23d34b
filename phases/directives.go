package phases

import "time"

// directiveGroups is the directive table: every name this server knows, where
// it may stand, how many arguments it takes and what it does. Groups follow
// nginx's modules. A name that is missing here is an "unknown directive".
func directiveGroups() [][]directive {
	return [][]directive{
		mainDirectives(),
		rightsDirectives(),
		coreDirectives(),
		clientDirectives(),
		serverDirectives(),
		acceptedDirectives(),
	}
}

// loc makes a field selector for a value of the current location.
func loc[T any](f func(l *Location) *opt[T]) func(*compiler) *opt[T] {
	return func(c *compiler) *opt[T] { return f(c.loc) }
}

// srv makes a field selector for a value of the current server; at the http
// level it is the value that servers inherit.
func srv[T any](f func(s *Server) *opt[T]) func(*compiler) *opt[T] {
	return func(c *compiler) *opt[T] { return f(c.srv) }
}

// global makes a field selector for a value of the process.
func global[T any](f func(m *MainConf) *opt[T]) func(*compiler) *opt[T] {
	return func(c *compiler) *opt[T] { return f(&c.cycle.Main) }
}

// duration stores a time that may be written in ms; seconds one that may not.
func duration(field func(c *compiler) *opt[time.Duration]) setter {
	return putParsed(field, parseTime, same)
}

func seconds(field func(c *compiler) *opt[time.Duration]) setter {
	return putParsed(field, parseSeconds, same)
}

func mainDirectives() []directive {
	return []directive{
		{"daemon", inMain, takeFlag, onOff(global(func(m *MainConf) *opt[bool] { return &m.Daemon }))},
		{"master_process", inMain, takeFlag, onOff(global(func(m *MainConf) *opt[bool] { return &m.MasterProcess }))},
		{"pid", inMain, take1, text(global(func(m *MainConf) *opt[string] { return &m.Pid }))},
		{"worker_processes", inMain, take1, setWorkerProcesses},
		{"worker_shutdown_timeout", inMain, take1, duration(global(func(m *MainConf) *opt[time.Duration] { return &m.ShutdownTimeout }))},
		{"timer_resolution", inMain, take1, duration(global(func(m *MainConf) *opt[time.Duration] { return &m.TimerResolution }))},
		{"env", inMain, take1, setEnv},
		{"thread_pool", inMain, takeMore1, setThreadPool},
		{"worker_connections", inEvents, take1, setConnections},
		{"events", inMain, take0 | takeBlock, setEvents},
		{"http", inMain, take0 | takeBlock, setHTTP},
		{"error_log", inMain | inAnyLoc, takeMore1, setErrorLog},
	}
}

func serverDirectives() []directive {
	return []directive{
		{"server", inHTTP, take0 | takeBlock, setServer},
		{"server_name", inServer, takeMore1, setServerName},
		{"listen", inServer, takeMore1, setListen},
		{"location", inServer | inLocation, take12 | takeBlock, setLocation},
		{"client_header_buffer_size", inHTTP | inServer, take1, size(srv(func(s *Server) *opt[int64] { return &s.headerBufferSize }))},
		{"large_client_header_buffers", inHTTP | inServer, take2, putBuffers(srv(func(s *Server) *opt[buffers] { return &s.largeHeaders }))},
		{"client_header_timeout", inHTTP | inServer, take1, duration(srv(func(s *Server) *opt[time.Duration] { return &s.headerTimeout }))},
		{"max_headers", inHTTP | inServer, take1, number(srv(func(s *Server) *opt[int] { return &s.maxHeaders }))},
		{"connection_pool_size", inHTTP | inServer, take1, poolSize(srv(func(s *Server) *opt[int64] { return &s.connectionPool }))},
		{"ignore_invalid_headers", inHTTP | inServer, takeFlag, onOff(srv(func(s *Server) *opt[bool] { return &s.ignoreInvalid }))},
		{"underscores_in_headers", inHTTP | inServer, takeFlag, onOff(srv(func(s *Server) *opt[bool] { return &s.underscores }))},
		{"merge_slashes", inHTTP | inServer, takeFlag, onOff(srv(func(s *Server) *opt[bool] { return &s.mergeSlashes }))},
	}
}

func coreDirectives() []directive {
	return []directive{
		{"limit_except", inLocation, takeMore1 | takeBlock, setLimitExcept},
		{"root", inAnyLoc, take1, setRoot},
		{"alias", inLocation, take1, setRoot},
		{"internal", inLocation, take0, setInternal},
		{"satisfy", inHTTPSrvLoc, take1, enum(loc(func(l *Location) *opt[int] { return &l.satisfyAny }), "all", "any")},
		{"default_type", inHTTPSrvLoc, take1, text(loc(func(l *Location) *opt[string] { return &l.defaultType }))},
		{"types", inHTTPSrvLoc, take0 | takeBlock, setTypes},
		{"error_page", inAnyLoc, takeMore2, setErrorPage},
		{"recursive_error_pages", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.recursiveErrors }))},
		{"keepalive_timeout", inHTTPSrvLoc, take12, setKeepalive},
		{"keepalive_disable", inHTTPSrvLoc, take12, setKeepaliveDisable},
		{"keepalive_requests", inHTTPSrvLoc, take1, number(loc(func(l *Location) *opt[int] { return &l.keepaliveRequests }))},
		{"keepalive_time", inHTTPSrvLoc, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.keepaliveTime }))},
		{"send_timeout", inHTTPSrvLoc, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.sendTimeout }))},
		{"lingering_close", inHTTPSrvLoc, take1, enum(loc(func(l *Location) *opt[int] { return &l.lingeringClose }), "off", "on", "always")},
		{"lingering_time", inHTTPSrvLoc, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.lingeringTime }))},
		{"lingering_timeout", inHTTPSrvLoc, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.lingeringTimeout }))},
		{"reset_timedout_connection", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.resetTimedout }))},
		{"tcp_nodelay", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.tcpNodelay }))},
		{"postpone_output", inHTTPSrvLoc, take1, size(loc(func(l *Location) *opt[int64] { return &l.postponeOutput }))},
		{"limit_rate", inAnyLoc, take1, setSizeTemplate(loc(func(l *Location) *opt[template] { return &l.limitRate }))},
		{"limit_rate_after", inAnyLoc, take1, setSizeTemplate(loc(func(l *Location) *opt[template] { return &l.limitRateAfter }))},
		{"disable_symlinks", inHTTPSrvLoc, take12, setDisableSymlinks},
		{"resolver", inHTTPSrvLoc | inUpstream, takeMore1, setResolver},
		{"resolver_timeout", inHTTPSrvLoc | inUpstream, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.resolverTimeout }))},
		{"log_subrequest", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.logSubrequest }))},
		{"log_not_found", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.logNotFound }))},
		{"if_modified_since", inHTTPSrvLoc, take1, enum(loc(func(l *Location) *opt[int] { return &l.ifModifiedSince }), "off", "exact", "before")},
		{"etag", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.etag }))},
		{"server_tokens", inHTTPSrvLoc, take1, enum(loc(func(l *Location) *opt[int] { return &l.serverTokens }), "off", "on", "build")},
		{"chunked_transfer_encoding", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.chunkedEncoding }))},
		{"port_in_redirect", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.portInRedirect }))},
		{"server_name_in_redirect", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.nameInRedirect }))},
		{"absolute_redirect", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.absoluteRedirect }))},
		{"msie_padding", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.msiePadding }))},
		{"msie_refresh", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.msieRefresh }))},
		{"output_buffers", inHTTPSrvLoc, take2, putBuffers(loc(func(l *Location) *opt[buffers] { return &l.outputBuffers }))},
		{"max_ranges", inHTTPSrvLoc, take1, number(loc(func(l *Location) *opt[int] { return &l.maxRanges }))},
		{"subrequest_output_buffer_size", inHTTPSrvLoc, take1, size(loc(func(l *Location) *opt[int64] { return &l.subrequestBuffer }))},
	}
}

func clientDirectives() []directive {
	return []directive{
		{"client_max_body_size", inHTTPSrvLoc, take1, offset(loc(func(l *Location) *opt[int64] { return &l.maxBodySize }))},
		{"client_body_buffer_size", inHTTPSrvLoc, take1, size(loc(func(l *Location) *opt[int64] { return &l.bodyBufferSize }))},
		{"client_body_timeout", inHTTPSrvLoc, take1, duration(loc(func(l *Location) *opt[time.Duration] { return &l.bodyTimeout }))},
		{"client_body_in_file_only", inHTTPSrvLoc, take1, enum(loc(func(l *Location) *opt[int] { return &l.bodyInFile }), "off", "on", "clean")},
		{"client_body_in_single_buffer", inHTTPSrvLoc, takeFlag, onOff(loc(func(l *Location) *opt[bool] { return &l.bodyOneBuffer }))},
		{"client_body_temp_path", inHTTPSrvLoc, take1234, setBodyTempPath},
	}
}
