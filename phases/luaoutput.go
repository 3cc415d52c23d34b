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
		r.Out.clearRanges()
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
// (lua_http10_buffering). An empty piece only sends the head.
func (r *Request) luaWrite(p []byte) bool {
	if len(p) == 0 {
		return r.luaSendHeader()
	}
	rc, ended := r.luaBeginOutput()
	switch {
	case rc != rcOK:
		return false
	case ended:
		return true
	case r.lua.buffering:
		r.Logf(LogDebug, "lua buffering output bufs for the HTTP 1.0 request")
		r.lua.out = append(r.lua.out, p...)
		return true
	}
	return r.output(p, 0) == rcOK
}

// luaBeginOutput is what comes before any output of a script: the head is sent, or
// output begins to be kept back. ended says that there is no body to send
// (ngx_http_lua_send_chain_link).
func (r *Request) luaBeginOutput() (rc int, ended bool) {
	if r.Method == "HEAD" {
		r.HeaderOnly = true
	}
	if r.Loc.http10Buffering.v && !r.HeadersSent && r.Out.ContentLength < 0 &&
		(r.HTTPMajor < 1 || r.HTTPMajor == 1 && r.HTTPMinor == 0) {
		r.lua.buffering = true
	}
	if !r.luaSendHeader() {
		return rcError, false
	}
	if !r.HeaderOnly {
		return rcOK, false
	}
	r.outputEnded = true
	if r.lua.buffering {
		return r.luaSendBufferedHead(), true
	}
	return rcOK, true
}

// luaFinishOutput ends the body after a script has; a request body that it did not
// read is thrown away.
func (r *Request) luaFinishOutput() int {
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	return r.luaSendLast()
}

// luaSendLast ends the body unless the script has done so.
func (r *Request) luaSendLast() int {
	if r.outputEnded || r.rawSocket {
		return rcOK
	}
	rc, ended := r.luaBeginOutput()
	if rc != rcOK && r.captured != nil { // what is captured has no head to miss
		r.outputEnded = true
		return rcOK
	}
	if rc != rcOK || ended {
		return rc
	}
	if r.lua.buffering {
		if rc := r.luaSendBufferedHead(); rc != rcOK {
			return rc
		}
		if len(r.lua.out) > 0 {
			if rc := r.output(r.lua.out, 0); rc != rcOK {
				return rc
			}
		}
	}
	return r.output(nil, outLast)
}

// luaSendBufferedHead sends the head of output that was kept back, with its length.
func (r *Request) luaSendBufferedHead() int {
	r.lua.buffering = false
	if !r.HeaderOnly && r.Out.ContentLength < 0 {
		r.Out.ContentLength = int64(len(r.lua.out))
	}
	if r.SendHeader() != rcOK {
		return rcError
	}
	return rcOK
}

// pending reports whether output is kept back.
func (l *luaRequest) pending() bool { return l.buffering }
