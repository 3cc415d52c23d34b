package core

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Always makes a getter whose value always exists.
func Always(f func(r *Request) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) { return f(r), true }
}

// nonEmpty makes a getter whose empty value means that there is none.
func nonEmpty(f func(r *Request) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		v := f(r)
		return v, v != ""
	}
}

// builtinVariables are the variables of nginx's core and of the modules this
// server has (ngx_http_variables.c).
func builtinVariables() []Variable {
	header := func(name string) func(*Request) (string, bool) {
		return func(r *Request) (string, bool) { return r.In.Get(name) }
	}
	return append(proxyProtocolVariables(), []Variable{
		{Name: "args", Get: (*Request).Query, Set: (*Request).SetArgs, Changeable: true, Volatile: true},
		{Name: "query_string", Get: (*Request).Query, Volatile: true},
		{Name: "is_args", Volatile: true, Get: Always(func(r *Request) string {
			if r.Args == "" {
				return ""
			}
			return "?"
		})},
		{Name: "uri", Volatile: true, Get: uriVar},
		{Name: "document_uri", Volatile: true, Get: uriVar},
		{Name: "request_port", Volatile: true, Get: Always(func(r *Request) string { return r.Main.Port })},
		{Name: "is_request_port", Volatile: true, Get: Always(func(r *Request) string {
			if r.Main.Port == "" {
				return ""
			}
			return ":"
		})},
		{Name: "request_uri", Get: nonEmpty(func(r *Request) string { return r.Main.RequestURI })},
		{Name: "request", Get: nonEmpty(func(r *Request) string { return r.Main.RequestLine })},
		{Name: "request_method", Volatile: true, Get: nonEmpty(func(r *Request) string { return r.Main.Method })},
		{Name: "request_body", Get: requestBodyVar},
		{Name: "request_body_file", Get: nonEmpty(func(r *Request) string { return r.Main.Body.File })},
		{Name: "request_length", Volatile: true, Get: Always(requestLength)},
		{Name: "request_time", Volatile: true, Get: Always(func(r *Request) string { return ngxtext.Milliseconds(time.Since(r.Start)) })},
		{Name: "request_completion", Volatile: true, Get: Always(func(r *Request) string {
			if r.Logging && !r.Terminated {
				return "OK"
			}
			return ""
		})},
		{Name: "request_filename", Volatile: true, Get: (*Request).MapPath},
		{Name: "request_id", Get: Always(func(*Request) string { return randomHex(16) })},
		{Name: "document_root", Volatile: true, Get: Always((*Request).DocRoot)},
		{Name: "realpath_root", Volatile: true, Get: realRoot},
		{Name: "host", Get: Always(hostVar)},
		{Name: "hostname", Get: Always(func(r *Request) string { return r.Cycle.hostname })},
		{Name: "server_name", Volatile: true, Get: Always(func(r *Request) string { return r.Server.Name })},
		{Name: "server_protocol", Get: protocolVar},
		{Name: "server_addr", Get: Always(func(r *Request) string { return AddrHost(r.Main.Conn.LocalAddr()) })},
		{Name: "server_port", Get: Always(func(r *Request) string { return AddrPort(r.Main.Conn.LocalAddr()) })},
		{Name: "remote_addr", Get: Always(func(r *Request) string { return AddrHost(r.ClientAddr()) })},
		{Name: "remote_port", Get: Always(func(r *Request) string { return AddrPort(r.ClientAddr()) })},
		{Name: "binary_remote_addr", Get: Always(binaryRemoteAddr)},
		{Name: "remote_user", Get: remoteUser},
		{Name: "scheme", Get: Always(func(r *Request) string {
			if r.Main.Conn.TLS() {
				return "https"
			}
			return "http"
		})},
		{Name: "https", Get: Always(func(r *Request) string {
			if r.Main.Conn.TLS() {
				return "on"
			}
			return ""
		})},
		{Name: "content_type", Get: header("Content-Type")},
		{Name: "content_length", Volatile: true, Get: contentLength},
		{Name: "status", Volatile: true, Get: Always(func(r *Request) string { return ngxtext.ThreeDigits(r.FinalStatus()) })},
		{Name: "body_bytes_sent", Volatile: true, Get: Always(func(r *Request) string { return strconv.FormatInt(r.Main.bodyBytes(), 10) })},
		{Name: "bytes_sent", Volatile: true, Get: Always(func(r *Request) string { return strconv.FormatInt(r.Main.wireBytes(), 10) })},
		{Name: "connection", Get: Always(func(r *Request) string { return strconv.FormatInt(r.Main.Conn.Number(), 10) })},
		{Name: "connection_requests", Get: Always(func(r *Request) string { return strconv.FormatInt(r.Main.Conn.Requests(), 10) })},
		{Name: "pipe", Volatile: true, Get: Always(func(r *Request) string {
			if r.Main.Pipelined {
				return "p"
			}
			return "."
		})},
		{Name: "pid", Get: Always(func(*Request) string { return strconv.Itoa(os.Getpid()) })},
		{Name: "msec", Volatile: true, Get: Always(func(*Request) string { return ngxtext.Milliseconds(time.Duration(time.Now().UnixNano())) })},
		{Name: "time_local", Volatile: true, Get: Always(func(*Request) string { return time.Now().Format("02/Jan/2006:15:04:05 -0700") })},
		{Name: "time_iso8601", Volatile: true, Get: Always(func(*Request) string { return time.Now().Format("2006-01-02T15:04:05-07:00") })},
		{Name: "nginx_version", Get: Always(func(r *Request) string { return r.Cycle.Stack.Release })},
		{Name: "limit_rate", Volatile: true, Changeable: true, Get: Always(limitRateVar), Set: setLimitRateVar},
		{Name: "connection_time", Volatile: true, Get: Always(func(r *Request) string { return ngxtext.Milliseconds(time.Since(r.Main.Conn.Opened())) })},
		{Name: "tcpinfo_rtt", Get: tcpInfo(func(i *TCPInfo) uint32 { return i.RTT })},
		{Name: "tcpinfo_rttvar", Get: tcpInfo(func(i *TCPInfo) uint32 { return i.RTTVar })},
		{Name: "tcpinfo_snd_cwnd", Get: tcpInfo(func(i *TCPInfo) uint32 { return i.SndCwnd })},
		{Name: "tcpinfo_rcv_space", Get: tcpInfo(func(i *TCPInfo) uint32 { return i.RcvSpace })},
	}...)
}

// Query is the query string; ok is false when there is none at all, which is not
// the same as an empty one.
func (r *Request) Query() (value string, ok bool) { return r.Args, r.Args != "" || r.EmptyArgs }

// SetArgs gives the request another query string; none at all when ok is false.
func (r *Request) SetArgs(value string, ok bool) {
	r.Args, r.EmptyArgs = value, ok
	r.ValidUnparsedURI = false
}

// uriVar is $uri: not found for a request whose line could not be read.
func uriVar(r *Request) (string, bool) { return r.URI, r.URI != "" || r.Main.Method != "" }

// protocolVar is $server_protocol: not found for HTTP/0.9 and for lines without
// one, empty for a version that is refused.
func protocolVar(r *Request) (string, bool) {
	if r.Main.HTTPMajor == 2 {
		return "HTTP/2.0", true
	}
	return r.Main.Protocol, r.Main.Protocol != "" || r.Main.ErrStatus == 505 && r.Main.Method == ""
}

func requestBodyVar(r *Request) (string, bool) {
	b := &r.Main.Body
	if r.OwnBody != nil {
		b = r.OwnBody
	}
	return string(b.Data), b.Data != nil
}

// bodyBytes is the number of bytes sent of the body, with its transfer coding.
func (r *Request) bodyBytes() int64 {
	if s, ok := r.Conn.(ByteCounter); ok {
		return s.BodyBytes()
	}
	return r.BodySent
}

// wireBytes is the number of bytes sent to the client, framing included.
func (r *Request) wireBytes() int64 {
	if s, ok := r.Conn.(ByteCounter); ok {
		return s.WireBytes()
	}
	return r.BytesSent
}

// contentLength is $content_length: of a chunked body once it has been read.
func contentLength(r *Request) (string, bool) {
	if v, ok := r.In.Get("Content-Length"); ok {
		return v, true
	}
	if r.ContentLength < 0 {
		return "", false
	}
	return strconv.FormatInt(r.ContentLength, 10), true
}

func requestLength(r *Request) string {
	return strconv.FormatInt(r.HeaderBytes+r.BodyReceived, 10)
}

// FinalStatus is the status as $status and the access log give it.
func (r *Request) FinalStatus() int {
	switch {
	case r.ErrStatus != 0:
		return r.ErrStatus
	case r.Out.Status != 0:
		return r.Out.Status
	case r.HTTPMajor < 1 && r.parent == nil:
		return 9
	}
	return 0
}

func realRoot(r *Request) (string, bool) {
	path, err := filepath.EvalSymlinks(r.DocRoot())
	if err != nil {
		r.Logf(errlog.Crit, "realpath() \"%s\" failed (%s)", r.DocRoot(), conf.Errno(err))
		return "", false
	}
	return path, true
}

func hostVar(r *Request) string {
	if r.Main.Host != "" {
		return r.Main.Host
	}
	return r.Server.Name
}

func binaryRemoteAddr(r *Request) string {
	addr, isUnix := r.ClientIP()
	if isUnix || !addr.IsValid() {
		return "unix:"
	}
	return string(addr.AsSlice())
}

// remoteUser is the user name of basic authentication.
