package compat

// Feature is one difference between the releases.
type Feature int

// The names say what the newer releases do.
const (
	JoinedHeaders Feature = iota
	FirstUpstreamHeader
	InterimAnswers
	HTTP2Directive
	HTTP2Upstreams
	KeptUpstreams
	BoundedRanges
	TargetOfConnect
	LongErrorLines
	PCRE2
	CaptureHeaders
	SocketUpstreams
	CheckedSockets
	SocketAccess
	ResolveServers
	Sticky
	ExpiryInAnyOrder
	GeoVolatile
	ResolverFamilies
	UpstreamRate
)

// features tells since when a stack has each of them: both versions must be reached,
// and most need one. What tightens security is not here: that holds whatever is spoken.
var features = [...]struct {
	nginx, lua Version
	does       string
}{
	JoinedHeaders:       {1023000, 0, "$http_NAME, $sent_http_NAME and their kin join the values of a repeated header by a comma"},
	FirstUpstreamHeader: {1023000, 0, "of a header of an upstream that may come once, further lines are dropped with a warning"},
	InterimAnswers:      {1029000, 0, "an upstream's 103 is not its answer; early_hints passes it on"},
	HTTP2Directive:      {1025001, 0, "HTTP/2 is switched on by http2, for each server; without TLS a connection may speak either version"},
	HTTP2Upstreams:      {1029004, 0, "proxy_http_version can be 2"},
	KeptUpstreams:       {1029007, 0, "upstreams are asked with HTTP/1.1, and upstream{} keeps connections unless it is told not to"},
	BoundedRanges:       {1029005, 0, "many small ranges are answered with the whole body, unless max_ranges is set"},
	TargetOfConnect:     {1029003, 0, "CONNECT is refused for what it asks for before it is refused as a method"},
	PCRE2:               {0, 10026, "ngx.re has the texts, places and codes of PCRE 2, which takes an escape without a meaning for an error"},
	CaptureHeaders:      {0, 10027, "ngx.location.capture takes the option headers"},
	SocketUpstreams:     {0, 10030, "error lines of cosockets say whom they speak to"},
	CheckedSockets:      {0, 10027, "setkeepalive and bind of cosockets check their arguments"},
	SocketAccess:        {0, 10030, "cosockets have getfd, getsslsession, settrustedstore and kin"},
	ExpiryInAnyOrder:    {1023000, 0, "X-Accel-Expires overrules Cache-Control and Expires of an upstream in front of it too"},
	LongErrorLines:      {patched, 0, "lines of the error log are cut at 4096 bytes and not at 2048"},
	ResolveServers:      {1027003, 0, "server of an upstream has resolve and service="},
	ResolverFamilies:    {1023001, 0, "resolver has ipv4=, and local= of OpenResty's"},
	UpstreamRate:        {1027000, 0, "proxy_limit_rate and its kin may have variables"},
	Sticky:              {1029006, 0, "upstream has sticky, its servers have route= and drain"},
	GeoVolatile:         {1029003, 0, "volatile in a geo block"},
}
