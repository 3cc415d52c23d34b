package phases

// luaSendHeader sends the head before the first byte of a script's output; a
// length that came from elsewhere is forgotten, as the script decides how much
// follows (ngx_http_lua_send_header_if_needed).
func (r *Request) luaSendHeader() bool {
	if r.HeadersSent {
		return true
	}
	if r.Out.Status == 0 {
		r.Out.Status = 200
	}
	r.luaContentType()
	if !r.lua.headersSet {
		r.Out.ClearLength()
		r.Out.allowRanges = false
	}
	if r.lua.buffering {
		return true
	}
	return r.SendHeader() == rcOK
}

// luaContentType gives the response a type unless the script set or removed
// one: default_type, or nothing with lua_use_default_type off.
func (r *Request) luaContentType() {
	if r.Out.ContentType == "" && r.Out.Status != 304 && !r.Out.noContentType && r.Loc.useDefaultType.v {
		r.setContentType()
	}
}

// luaWrite sends a piece of a script's output. For an HTTP/1.0 client it is
// kept until the end, so that the length can be announced
// (lua_http10_buffering).
func (r *Request) luaWrite(p []byte) bool {
	if r.luaBuffers() {
		r.lua.out = append(r.lua.out, p...)
		return r.luaSendHeader()
	}
	return r.luaSendHeader() && r.output(p, 0) == rcOK
}

// luaBuffers tells whether output is kept back, deciding so at the first call.
func (r *Request) luaBuffers() bool {
	if r.lua.buffering {
		return true
	}
	if r.HeadersSent || r.lua.headersSet && r.Out.ContentLength >= 0 || r != r.Main ||
		r.HTTPMajor > 1 || r.HTTPMajor == 1 && r.HTTPMinor > 0 || !r.Loc.http10Buffering.v {
		return false
	}
	r.Logf(LogDebug, "lua buffering output bufs for the HTTP 1.0 request")
	r.lua.buffering = true
	return true
}

// luaSendLast ends the body unless the script has done so.
func (r *Request) luaSendLast() int {
	if r.outputEnded || r.rawSocket {
		return rcOK
	}
	if r.luaBuffers() {
		return r.luaSendBuffered()
	}
	if !r.luaSendHeader() {
		return r.headerFailure()
	}
	if r.HeaderOnly && r == r.Main {
		r.outputEnded = true
		return rcOK
	}
	return r.output(nil, outLast)
}

// luaSendBuffered sends what was kept back, with its length.
func (r *Request) luaSendBuffered() int {
	r.luaSendHeader()
	r.lua.buffering = false
	r.Out.ClearLength()
	r.Out.ContentLength = int64(len(r.lua.out))
	if r.SendHeader() != rcOK {
		return r.headerFailure()
	}
	if r.HeaderOnly {
		r.outputEnded = true
		return rcOK
	}
	return r.output(r.lua.out, outLast)
}

// headerFailure is the answer after a header filter refused; when the filter
// has sent an error page by itself there is nothing left to do.
func (r *Request) headerFailure() int {
	if r.filterFinalized {
		return rcOK
	}
	return rcError
}

// pending reports whether output is kept back.
func (l *luaRequest) pending() bool { return l.buffering }
