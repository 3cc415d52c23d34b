package phases

import "github.com/moonphase/moonphase/phases/conf"

// accessLog is one access_log.
type accessLog struct{}

// logFormat is one log_format.
type logFormat struct{}

func setErrorLog(*compiler, *conf.Directive) error  { return nil }
func setAccessLog(*compiler, *conf.Directive) error { return nil }
func setLogFormat(*compiler, *conf.Directive) error { return nil }

func (r *Request) logAccess() {}

func (r *Request) serveIndex() int  { return rcDeclined }
func (r *Request) serveStatic() int { return rcDeclined }

// serverTLS is what the ssl directives say to a server.
type serverTLS struct{}

func (s *serverTLS) merge(*serverTLS) {}
