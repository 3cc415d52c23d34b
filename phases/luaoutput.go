package phases

// luaSendHeader sends the head before the first byte of a script's output; a
// length that came from elsewhere is forgotten, as the script decides how much
// follows (ngx_http_lua_send_header_if_needed).
func luaSendHeader(r *Request) bool {
	if r.HeadersSent {
		return true
	}
	if r.Out.Status == 0 {
		r.Out.Status = 200
	}
	luaContentType(r)
	if !luaNote.of(r).headersSet {
		r.Out.ClearLength()
		r.Out.clearRanges()
	}
	if luaNote.of(r).buffering {
		return true
	}
	return r.SendHeader() == rcOK
}

// luaContentType gives the response a type unless the script set or removed
// one: default_type, or nothing with lua_use_default_type off.
func luaContentType(r *Request) {
	if r.Out.ContentType == "" && r.Out.Status != 304 && !r.Out.noContentType && luaLoc.of(r.Loc).useDefaultType.v {
		r.setContentType()
	}
}

// luaWrite sends a piece of a script's output. For an HTTP/1.0 client it is
// kept until the end, so that the length can be announced
// (lua_http10_buffering). An empty piece only sends the head.
func luaWrite(r *Request, p []byte) bool {
	if len(p) == 0 {
		return luaSendHeader(r)
	}
	rc, ended := luaBeginOutput(r)
	l := luaNote.of(r)
	switch {
	case rc != rcOK:
		return false
	case ended:
		return true
	case l.buffering:
		r.Logf(LogDebug, "lua buffering output bufs for the HTTP 1.0 request")
		l.out = append(l.out, p...)
		return true
	}
	return r.output(p, 0) == rcOK
}

// luaBeginOutput is what comes before any output of a script: the head is sent, or
// output begins to be kept back. ended says that there is no body to send
// (ngx_http_lua_send_chain_link).
func luaBeginOutput(r *Request) (rc int, ended bool) {
	l := luaNote.of(r)
	if r.Method == "HEAD" {
		r.HeaderOnly = true
	}
	if luaLoc.of(r.Loc).http10Buffering.v && !r.HeadersSent && r.Out.ContentLength < 0 &&
		(r.HTTPMajor < 1 || r.HTTPMajor == 1 && r.HTTPMinor == 0) {
		l.buffering = true
	}
	if !luaSendHeader(r) {
		return rcError, false
	}
	if !r.HeaderOnly {
		return rcOK, false
	}
	r.outputEnded = true
	if l.buffering {
		return luaSendBufferedHead(r), true
	}
	return rcOK, true
}

// luaFinishOutput ends the body after a script has; a request body that it did not
// read is thrown away.
func luaFinishOutput(r *Request) int {
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	return luaSendLast(r)
}

// luaSendLast ends the body unless the script has done so.
func luaSendLast(r *Request) int {
	if r.outputEnded || r.rawSocket {
		return rcOK
	}
	rc, ended := luaBeginOutput(r)
	if rc != rcOK && luaNote.of(r).capture != nil { // what is captured has no head to miss
		r.outputEnded = true
		return rcOK
	}
	if rc != rcOK || ended {
		return rc
	}
	if l := luaNote.of(r); l.buffering {
		if rc := luaSendBufferedHead(r); rc != rcOK {
			return rc
		}
		if len(l.out) > 0 {
			if rc := r.output(l.out, 0); rc != rcOK {
				return rc
			}
		}
	}
	return r.output(nil, outLast)
}

// luaSendBufferedHead sends the head of output that was kept back, with its length.
func luaSendBufferedHead(r *Request) int {
	l := luaNote.of(r)
	l.buffering = false
	if !r.HeaderOnly && r.Out.ContentLength < 0 {
		r.Out.ContentLength = int64(len(l.out))
	}
	if r.SendHeader() != rcOK {
		return rcError
	}
	return rcOK
}
