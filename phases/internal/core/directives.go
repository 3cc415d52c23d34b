package core

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// directiveGroups is the directive table: every name this server knows, where
// it may stand, how many arguments it takes and what it does. Groups follow
// nginx's modules. A name that is missing here is an "unknown directive".
func directiveGroups() [][]Directive {
	return [][]Directive{
		mainDirectives(),
		rightsDirectives(),
		coreDirectives(),
		clientDirectives(),
		serverDirectives(),
		acceptedDirectives(),
	}
}

// Loc makes a field selector for a value of the current location.
func Loc[T any](f func(l *Location) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(c.Loc) }
}

// srv makes a field selector for a value of the current server; at the http
// level it is the value that servers inherit.
func srv[T any](f func(s *Server) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(c.Srv) }
}

// global makes a field selector for a value of the process.
func global[T any](f func(m *MainConf) *Opt[T]) func(*Compiler) *Opt[T] {
	return func(c *Compiler) *Opt[T] { return f(&c.Cycle.Main) }
}

// SetMsec stores a time that may be written in ms; seconds one that may not.
func SetMsec(field func(c *Compiler) *Opt[time.Duration]) Setter {
	return putParsed(field, ngxtext.ParseTime, same)
}

// SetSec stores a time in whole seconds (ngx_conf_set_sec_slot).
func SetSec(field func(c *Compiler) *Opt[time.Duration]) Setter {
	return putParsed(field, ngxtext.ParseSeconds, same)
}

func mainDirectives() []Directive {
	return []Directive{
		{"daemon", InMain, TakeFlag, SetFlag(global(func(m *MainConf) *Opt[bool] { return &m.Daemon }))},
		{"master_process", InMain, TakeFlag, SetFlag(global(func(m *MainConf) *Opt[bool] { return &m.MasterProcess }))},
		{"pid", InMain, Take1, SetText(global(func(m *MainConf) *Opt[string] { return &m.Pid }))},
		{"worker_processes", InMain, Take1, setWorkerProcesses},
		{"worker_shutdown_timeout", InMain, Take1, SetMsec(global(func(m *MainConf) *Opt[time.Duration] { return &m.ShutdownTimeout }))},
		{"timer_resolution", InMain, Take1, SetMsec(global(func(m *MainConf) *Opt[time.Duration] { return &m.TimerResolution }))},
		{"env", InMain, Take1, setEnv},
		{"thread_pool", InMain, TakeMore1, setThreadPool},
		{"worker_connections", InEvents, Take1, setConnections},
		{"events", InMain, Take0 | TakeBlock, setEvents},
		{"http", InMain, Take0 | TakeBlock, setHTTP},
		{"error_log", InMain | InAnyLoc, TakeMore1, setErrorLog},
	}
}

func serverDirectives() []Directive {
	return []Directive{
		{"server", InHTTP, Take0 | TakeBlock, setServer},
		{"server_name", InServer, TakeMore1, setServerName},
		{"listen", InServer, TakeMore1, setListen},
		{"location", InServer | InLocation, Take12 | TakeBlock, setLocation},
		{"client_header_buffer_size", InHTTP | InServer, Take1, SetSize(srv(func(s *Server) *Opt[int64] { return &s.HeaderBufferSize }))},
		{"large_client_header_buffers", InHTTP | InServer, Take2, SetBuffers(srv(func(s *Server) *Opt[Buffers] { return &s.LargeHeaders }))},
		{"client_header_timeout", InHTTP | InServer, Take1, SetMsec(srv(func(s *Server) *Opt[time.Duration] { return &s.HeaderTimeout }))},
		{"max_headers", InHTTP | InServer, Take1, SetNumber(srv(func(s *Server) *Opt[int] { return &s.MaxHeaders }))},
		{"connection_pool_size", InHTTP | InServer, Take1, poolSize(srv(func(s *Server) *Opt[int64] { return &s.connectionPool }))},
		{"ignore_invalid_headers", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.IgnoreInvalid }))},
		{"underscores_in_headers", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.Underscores }))},
		{"merge_slashes", InHTTP | InServer, TakeFlag, SetFlag(srv(func(s *Server) *Opt[bool] { return &s.MergeSlashes }))},
	}
}

func coreDirectives() []Directive {
	return []Directive{
		{"limit_except", InLocation, TakeMore1 | TakeBlock, setLimitExcept},
		{"root", InAnyLoc, Take1, setRoot},
		{"alias", InLocation, Take1, setRoot},
		{"internal", InLocation, Take0, setInternal},
		{"satisfy", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.SatisfyAny }), "all", "any")},
		{"default_type", InHTTPSrvLoc, Take1, SetText(Loc(func(l *Location) *Opt[string] { return &l.defaultType }))},
		{"types", InHTTPSrvLoc, Take0 | TakeBlock, setTypes},
		{"error_page", InAnyLoc, TakeMore2, setErrorPage},
		{"recursive_error_pages", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.recursiveErrors }))},
		{"keepalive_timeout", InHTTPSrvLoc, Take12, setKeepalive},
		{"keepalive_disable", InHTTPSrvLoc, Take12, setKeepaliveDisable},
		{"keepalive_requests", InHTTPSrvLoc, Take1, SetNumber(Loc(func(l *Location) *Opt[int] { return &l.KeepaliveRequests }))},
		{"keepalive_time", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.KeepaliveTime }))},
		{"send_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.SendTimeout }))},
		{"lingering_close", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.LingeringClose }), "off", "on", "always")},
		{"lingering_time", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.LingeringTime }))},
		{"lingering_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.LingeringTimeout }))},
		{"reset_timedout_connection", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.ResetTimedout }))},
		{"tcp_nodelay", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.TCPNodelay }))},
		{"postpone_output", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.postponeOutput }))},
		{"limit_rate", InAnyLoc, Take1, SetSizeTemplate(Loc(func(l *Location) *Opt[Template] { return &l.limitRate }))},
		{"limit_rate_after", InAnyLoc, Take1, SetSizeTemplate(Loc(func(l *Location) *Opt[Template] { return &l.limitRateAfter }))},
		{"disable_symlinks", InHTTPSrvLoc, Take12, setDisableSymlinks},
		{"resolver", InHTTPSrvLoc | InUpstream, TakeMore1, setResolver},
		{"resolver_timeout", InHTTPSrvLoc | InUpstream, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.ResolverTimeout }))},
		{"log_subrequest", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.logSubrequest }))},
		{"log_not_found", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.LogNotFound }))},
		{"if_modified_since", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.IfModifiedSince }), "off", "exact", "before")},
		{"etag", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.etag }))},
		{"server_tokens", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.ServerTokens }), "off", "on", "build")},
		{"chunked_transfer_encoding", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.chunkedEncoding }))},
		{"port_in_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.portInRedirect }))},
		{"server_name_in_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.nameInRedirect }))},
		{"absolute_redirect", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.AbsoluteRedirect }))},
		{"msie_padding", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.msiePadding }))},
		{"msie_refresh", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.msieRefresh }))},
		{"output_buffers", InHTTPSrvLoc, Take2, SetBuffers(Loc(func(l *Location) *Opt[Buffers] { return &l.outputBuffers }))},
		{"max_ranges", InHTTPSrvLoc, Take1, SetNumber(Loc(func(l *Location) *Opt[int] { return &l.MaxRanges }))},
		{"subrequest_output_buffer_size", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.subrequestBuffer }))},
	}
}

func clientDirectives() []Directive {
	return []Directive{
		{"client_max_body_size", InHTTPSrvLoc, Take1, SetOffset(Loc(func(l *Location) *Opt[int64] { return &l.MaxBodySize }))},
		{"client_body_buffer_size", InHTTPSrvLoc, Take1, SetSize(Loc(func(l *Location) *Opt[int64] { return &l.BodyBufferSize }))},
		{"client_body_timeout", InHTTPSrvLoc, Take1, SetMsec(Loc(func(l *Location) *Opt[time.Duration] { return &l.BodyTimeout }))},
		{"client_body_in_file_only", InHTTPSrvLoc, Take1, SetEnum(Loc(func(l *Location) *Opt[int] { return &l.bodyInFile }), "off", "on", "clean")},
		{"client_body_in_single_buffer", InHTTPSrvLoc, TakeFlag, SetFlag(Loc(func(l *Location) *Opt[bool] { return &l.bodyOneBuffer }))},
		{"client_body_temp_path", InHTTPSrvLoc, Take1234, setBodyTempPath},
	}
}
