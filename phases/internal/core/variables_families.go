package core

import (
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/proxytlv"
)

// coreFamilies are the variables whose names go on behind a prefix.
var coreFamilies = []Family{
	{"http_", false, requestHeaderVar},
	{"sent_http_", false, responseHeaderVar},
	{"sent_trailer_", false, sentTrailerVar},
	{"cookie_", false, cookieVar},
	{"arg_", true, argVar},
	{"proxy_protocol_tlv_", false, tlvVar},
}

// ofFamilies are the members of a family that the core knows by name, so that
// ngx.var finds what is cached for one the configuration mentions.
var ofFamilies = []string{
	"http_host", "http_user_agent", "http_referer", "http_via", "http_x_forwarded_for", "http_cookie",
	"sent_http_content_type", "sent_http_content_length", "sent_http_location", "sent_http_last_modified",
	"sent_http_connection", "sent_http_keep_alive", "sent_http_transfer_encoding", "sent_http_cache_control", "sent_http_link",
}

// NoValues makes the getters of a family whose variables have no value.
func NoValues(string) func(*Request) (string, bool) { return NoValue }

// NoValue is the getter of a variable that has none by itself.
func NoValue(*Request) (string, bool) { return "", false }

// HeaderByVar finds header lines by the form their names have in variables:
// lower case, with "_" for "-". Several lines are joined with ", " ("; " for
// Cookie).
func HeaderByVar(list Headers, name, sep string) (value string, ok bool) {
	for i := range list {
		if !SameAsVar(list[i].Name, name) {
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

// SameAsVar compares a header's name with the name of its variable.
func SameAsVar(header, name string) bool {
	if len(header) != len(name) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := ngxtext.LowerByte(header[i])
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
		return func(r *Request) (string, bool) { return HeaderByVar(r.In, name, "; ") }
	case "x_forwarded_for":
		return func(r *Request) (string, bool) { return HeaderByVar(r.In, name, ", ") }
	}
	return func(r *Request) (string, bool) { return r.HeaderVar(r.In, name) }
}

// HeaderVar is the value that the lines of a header have as a variable: all of them
// joined, or with an older OpenResty the first.
func (r *Request) HeaderVar(list Headers, name string) (value string, ok bool) {
	if r.Cycle.Stack.Has(compat.JoinedHeaders) {
		return HeaderByVar(list, name, ", ")
	}
	for i := range list {
		if SameAsVar(list[i].Name, name) {
			return list[i].Value, true
		}
	}
	return "", false
}

func responseHeaderVar(name string) func(*Request) (string, bool) {
	switch name {
	case "content_type":
		return func(r *Request) (string, bool) { return r.Out.FullContentType(), r.Out.ContentType != "" }
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
			case r.KeepAlive && !r.Logging:
				return "keep-alive", true
			}
			return "close", true
		}
	case "keep_alive":
		return func(r *Request) (string, bool) {
			if t := r.Loc.keepaliveHeader.V; r.KeepAlive && !r.Logging && t > 0 {
				return "timeout=" + strconv.Itoa(int(t/time.Second)), true
			}
			return "", false
		}
	case "transfer_encoding":
		return func(r *Request) (string, bool) {
			if !r.ChunkedOut {
				return "", false
			}
			return "chunked", true
		}
	case "cache_control", "link":
		return func(r *Request) (string, bool) { return HeaderByVar(r.Out.Headers, name, ", ") }
	}
	return func(r *Request) (string, bool) { return r.HeaderVar(r.Out.Headers, name) }
}

func sentTrailerVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) { return HeaderByVar(r.SentTrailers, name, ", ") }
}

// tlvVar is an extension of the PROXY protocol header.
func tlvVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		c, ok := r.Main.Conn.(ClaimedConn)
		if !ok || c.Claim().TLVs == nil {
			return "", false
		}
		v, ok, err := proxytlv.Find(c.Claim().TLVs, name)
		if err != nil {
			r.Log(errlog.Err, err.Error())
		}
		return v, ok
	}
}

func cookieVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		for i := range r.In {
			if !ngxtext.EqualFold(r.In[i].Name, "Cookie") {
				continue
			}
			if v, ok := FindCookie(r.In[i].Value, name); ok {
				return v, true
			}
		}
		return "", false
	}
}

// FindCookie finds name, in any case, in a Cookie header, and gives what stands behind its
// "=" (ngx_http_parse_multi_header_lines).
func FindCookie(line, name string) (string, bool) {
	for {
		line = strings.TrimLeft(line, " ")
		if len(line) > len(name) && ngxtext.EqualFold(line[:len(name)], name) {
			if value, ok := strings.CutPrefix(strings.TrimLeft(line[len(name):], " "), "="); ok {
				value, _, _ = strings.Cut(value, ";") // a comma is part of it
				return strings.TrimLeft(value, " "), true
			}
		}
		i := strings.IndexAny(line, ";,")
		if i < 0 {
			return "", false
		}
		line = line[i+1:]
	}
}

func argVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) { return FindArg(r.Args, name) }
}

// FindArg is the value of the first argument called name, in any case, as it
// was sent.
func FindArg(args, name string) (string, bool) {
	for args != "" {
		part := args
		if i := strings.IndexByte(args, '&'); i >= 0 {
			part, args = args[:i], args[i+1:]
		} else {
			args = ""
		}
		if len(part) > len(name) && part[len(name)] == '=' && ngxtext.EqualFold(part[:len(name)], name) {
			return part[len(name)+1:], true
		}
	}
	return "", false
}
