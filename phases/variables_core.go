package phases

import (
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// coreFamilies are the variables whose names go on behind a prefix.
var coreFamilies = []family{
	{"http_", false, requestHeaderVar},
	{"sent_http_", false, responseHeaderVar},
	{"sent_trailer_", false, sentTrailerVar},
	{"cookie_", false, cookieVar},
	{"arg_", true, argVar},
}

// ofFamilies are the members of a family that the core knows by name, so that
// ngx.var finds what is cached for one the configuration mentions.
var ofFamilies = []string{
	"http_host", "http_user_agent", "http_referer", "http_via", "http_x_forwarded_for", "http_cookie",
	"sent_http_content_type", "sent_http_content_length", "sent_http_location", "sent_http_last_modified",
	"sent_http_connection", "sent_http_keep_alive", "sent_http_transfer_encoding", "sent_http_cache_control", "sent_http_link",
}

func noVar(string) func(*Request) (string, bool) { return noValue }

// noValue is the getter of a variable that has none by itself.
func noValue(*Request) (string, bool) { return "", false }

// headerByVar finds header lines by the form their names have in variables:
// lower case, with "_" for "-". Several lines are joined with ", " ("; " for
// Cookie).
func headerByVar(list Headers, name, sep string) (value string, ok bool) {
	for i := range list {
		if !sameAsVar(list[i].Name, name) {
			continue
		}
		if !ok {
			value, ok = list[i].Value, true
			continue
		}
		value += sep + list[i].Value
	}
	return value, ok
}

// sameAsVar compares a header's name with the name of its variable.
func sameAsVar(header, name string) bool {
	if len(header) != len(name) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := lowerByte(header[i])
		if c == '-' {
			c = '_'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

func requestHeaderVar(name string) func(*Request) (string, bool) {
	switch name {
	case "cookie":
		return func(r *Request) (string, bool) { return headerByVar(r.In, name, "; ") }
	case "x_forwarded_for":
		return func(r *Request) (string, bool) { return headerByVar(r.In, name, ", ") }
	}
	return func(r *Request) (string, bool) {
		for i := range r.In {
			if sameAsVar(r.In[i].Name, name) {
				return r.In[i].Value, true
			}
		}
		return "", false
	}
}

func responseHeaderVar(name string) func(*Request) (string, bool) {
	switch name {
	case "content_type":
		return func(r *Request) (string, bool) { return r.Out.contentType(), r.Out.ContentType != "" }
	case "content_length":
		return func(r *Request) (string, bool) { return r.Out.variable("Content-Length") }
	case "last_modified":
		return func(r *Request) (string, bool) { return r.Out.variable("Last-Modified") }
	case "location":
		return func(r *Request) (string, bool) { return r.Out.variable("Location") }
	case "connection":
		return func(r *Request) (string, bool) {
			switch {
			case r.Out.Status == 101:
				return "upgrade", true
			case r.KeepAlive && !r.logging:
				return "keep-alive", true
			}
			return "close", true
		}
	case "keep_alive":
		return func(r *Request) (string, bool) {
			if t := r.Loc.keepaliveHeader.v; r.KeepAlive && !r.logging && t > 0 {
				return "timeout=" + strconv.Itoa(int(t/time.Second)), true
			}
			return "", false
		}
	case "transfer_encoding":
		return func(r *Request) (string, bool) { return "chunked", r.chunkedOut }
	case "cache_control", "link":
		return func(r *Request) (string, bool) { return headerByVar(r.Out.Headers, name, ", ") }
	}
	return func(r *Request) (string, bool) {
		for i := range r.Out.Headers {
			if sameAsVar(r.Out.Headers[i].Name, name) {
				return r.Out.Headers[i].Value, true
			}
		}
		return "", false
	}
}

func sentTrailerVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) { return headerByVar(r.sentTrailers, name, ", ") }
}

func cookieVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		for i := range r.In {
			if !equalFold(r.In[i].Name, "Cookie") {
				continue
			}
			if v, ok := findCookie(r.In[i].Value, name); ok {
				return v, true
			}
		}
		return "", false
	}
}

// findCookie finds name, in any case, in a Cookie header
// (ngx_http_parse_multi_header_lines).
func findCookie(line, name string) (string, bool) {
	for line != "" {
		part := line
		if i := strings.IndexAny(line, ";,"); i >= 0 {
			part, line = line[:i], line[i+1:]
		} else {
			line = ""
		}
		part = strings.TrimLeft(part, " ")
		if len(part) <= len(name) || !equalFold(part[:len(name)], name) {
			continue
		}
		rest := strings.TrimLeft(part[len(name):], " ")
		if rest == "" || rest[0] != '=' {
			continue
		}
		return strings.TrimLeft(rest[1:], " "), true
	}
	return "", false
}

func argVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) { return findArg(r.Args, name) }
}

// findArg is the value of the first argument called name, in any case, as it
// was sent.
func findArg(args, name string) (string, bool) {
	for args != "" {
		part := args
		if i := strings.IndexByte(args, '&'); i >= 0 {
			part, args = args[:i], args[i+1:]
		} else {
			args = ""
		}
		if len(part) > len(name) && part[len(name)] == '=' && equalFold(part[:len(name)], name) {
			return part[len(name)+1:], true
		}
	}
	return "", false
}

// always makes a getter whose value always exists.
func always(f func(r *Request) string) func(*Request) (string, bool) {
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
func builtinVariables() []variable {
	header := func(name string) func(*Request) (string, bool) {
		return func(r *Request) (string, bool) { return r.In.Get(name) }
	}
	return append(proxyProtocolVariables(), []variable{
		{name: "args", get: (*Request).args, set: (*Request).setArgs, changeable: true, volatile: true},
		{name: "query_string", get: (*Request).args, volatile: true},
		{name: "is_args", volatile: true, get: always(func(r *Request) string {
			if r.Args == "" {
				return ""
			}
			return "?"
		})},
		{name: "uri", volatile: true, get: uriVar},
		{name: "document_uri", volatile: true, get: uriVar},
		{name: "request_uri", get: nonEmpty(func(r *Request) string { return r.Main.RequestURI })},
		{name: "request", get: nonEmpty(func(r *Request) string { return r.Main.RequestLine })},
		{name: "request_method", volatile: true, get: nonEmpty(func(r *Request) string { return r.Main.Method })},
		{name: "request_body", get: requestBodyVar},
		{name: "request_body_file", get: nonEmpty(func(r *Request) string { return r.Main.Body.File })},
		{name: "request_length", volatile: true, get: always(requestLength)},
		{name: "request_time", volatile: true, get: always(func(r *Request) string { return milliseconds(time.Since(r.Start)) })},
		{name: "request_completion", volatile: true, get: always(func(r *Request) string {
			if r.logging && !r.Terminated {
				return "OK"
			}
			return ""
		})},
		{name: "request_filename", volatile: true, get: (*Request).mapPath},
		{name: "request_id", get: always(func(*Request) string { return randomHex(16) })},
		{name: "document_root", volatile: true, get: always((*Request).docRoot)},
		{name: "realpath_root", volatile: true, get: realRoot},
		{name: "host", get: always(hostVar)},
		{name: "hostname", get: always(func(r *Request) string { return r.Cycle.hostname })},
		{name: "server_name", volatile: true, get: always(func(r *Request) string { return r.Server.Name })},
		{name: "server_protocol", get: protocolVar},
		{name: "server_addr", get: always(func(r *Request) string { return addrHost(r.Main.Conn.LocalAddr()) })},
		{name: "server_port", get: always(func(r *Request) string { return addrPort(r.Main.Conn.LocalAddr()) })},
		{name: "remote_addr", get: always(func(r *Request) string { return addrHost(r.Main.Conn.RemoteAddr()) })},
		{name: "remote_port", get: always(func(r *Request) string { return addrPort(r.Main.Conn.RemoteAddr()) })},
		{name: "binary_remote_addr", get: always(binaryRemoteAddr)},
		{name: "remote_user", get: remoteUser},
		{name: "scheme", get: always(func(r *Request) string {
			if r.Main.Conn.TLS() {
				return "https"
			}
			return "http"
		})},
		{name: "https", get: always(func(r *Request) string {
			if r.Main.Conn.TLS() {
				return "on"
			}
			return ""
		})},
		{name: "content_type", get: header("Content-Type")},
		{name: "content_length", volatile: true, get: contentLength},
		{name: "status", volatile: true, get: always(func(r *Request) string { return threeDigits(r.finalStatus()) })},
		{name: "body_bytes_sent", volatile: true, get: always(func(r *Request) string { return strconv.FormatInt(r.Main.bodyBytes(), 10) })},
		{name: "bytes_sent", volatile: true, get: always(func(r *Request) string { return strconv.FormatInt(r.Main.wireBytes(), 10) })},
		{name: "connection", get: always(func(r *Request) string { return strconv.FormatInt(r.Main.Conn.Number(), 10) })},
		{name: "connection_requests", get: always(func(r *Request) string { return strconv.FormatInt(r.Main.Conn.Requests(), 10) })},
		{name: "pipe", volatile: true, get: always(func(r *Request) string {
			if r.Main.Pipelined {
				return "p"
			}
			return "."
		})},
		{name: "pid", get: always(func(*Request) string { return strconv.Itoa(os.Getpid()) })},
		{name: "msec", volatile: true, get: always(func(*Request) string { return milliseconds(time.Duration(time.Now().UnixNano())) })},
		{name: "time_local", volatile: true, get: always(func(*Request) string { return time.Now().Format("02/Jan/2006:15:04:05 -0700") })},
		{name: "time_iso8601", volatile: true, get: always(func(*Request) string { return time.Now().Format("2006-01-02T15:04:05-07:00") })},
		{name: "nginx_version", get: always(func(*Request) string { return nginxVersion })},
		{name: "limit_rate", volatile: true, changeable: true, get: always(limitRateVar), set: setLimitRateVar},
		{name: "connection_time", volatile: true, get: always(func(r *Request) string { return milliseconds(time.Since(r.Main.Conn.Opened())) })},
		{name: "tcpinfo_rtt", get: noTCPInfo}, {name: "tcpinfo_rttvar", get: noTCPInfo},
		{name: "tcpinfo_snd_cwnd", get: noTCPInfo}, {name: "tcpinfo_rcv_space", get: noTCPInfo},
	}...)
}

// args is the query string; ok is false when there is none at all, which is not
// the same as an empty one.
func (r *Request) args() (value string, ok bool) { return r.Args, r.Args != "" || r.emptyArgs }

// setArgs gives the request another query string; none at all when ok is false.
func (r *Request) setArgs(value string, ok bool) {
	r.Args, r.emptyArgs = value, ok
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
	if r.ownBody != nil {
		b = r.ownBody
	}
	return string(b.Data), b.Data != nil
}

// bodyBytes is the number of bytes sent of the body, with its transfer coding.
func (r *Request) bodyBytes() int64 {
	if s, ok := r.Conn.(byteCounter); ok {
		return s.BodyBytes()
	}
	return r.bodySent
}

// wireBytes is the number of bytes sent to the client, framing included.
func (r *Request) wireBytes() int64 {
	if s, ok := r.Conn.(byteCounter); ok {
		return s.WireBytes()
	}
	return r.bytesSent
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
	return strconv.FormatInt(r.HeaderBytes+r.bodyReceived, 10)
}

// finalStatus is the status as $status and the access log give it.
func (r *Request) finalStatus() int {
	switch {
	case r.ErrStatus != 0:
		return r.ErrStatus
	case r.Out.Status != 0:
		return r.Out.Status
	case r.HTTPMajor < 1 && r.Parent == nil:
		return 9
	}
	return 0
}

func realRoot(r *Request) (string, bool) {
	path, err := filepath.EvalSymlinks(r.docRoot())
	if err != nil {
		r.Logf(errlog.Crit, "realpath() \"%s\" failed (%v)", r.docRoot(), err)
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

func addrHost(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:"
	}
	host, _ := splitAddr(a.String())
	return strings.Trim(host, "[]")
}

func addrPort(a net.Addr) string {
	if a.Network() == "unix" {
		return ""
	}
	_, port := splitAddr(a.String())
	return port
}

func binaryRemoteAddr(r *Request) string {
	addr, isUnix := clientAddr(r.Main.Conn)
	if isUnix || !addr.IsValid() {
		return "unix:"
	}
	return string(addr.AsSlice())
}

// noTCPInfo: the kernel's figures of a connection are not read.
func noTCPInfo(*Request) (string, bool) { return "", false }

// remoteUser is the user name of basic authentication.
func remoteUser(r *Request) (string, bool) {
	auth, ok := r.In.Get("Authorization")
	if !ok || len(auth) < 6 || !equalFold(auth[:6], "basic ") {
		return "", false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(auth[6:]))
	if err != nil {
		return "", false
	}
	user, _, found := strings.Cut(string(plain), ":")
	return user, found
}
