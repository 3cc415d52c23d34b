package phases

import "strings"

// errorPage is one error_page directive for one code.
type errorPage struct {
	code   int
	status int // overriding status; keepStatus or handlerStatus
	target template
}

const (
	keepStatus    = -1 // answer with the code itself
	handlerStatus = 0  // "=": answer with what the target's handler says
)

// specialResponse answers with an error page for code: the configured one or
// nginx's own (ngx_http_special_response_handler). It returns where the
// phases go on.
func (r *Request) specialResponse(code int) step {
	if r.HeadersSent {
		r.Logf(LogAlert, "header already sent")
		r.terminate(0)
		return stepEnd
	}
	r.Logf(LogDebug, "http special response: %d, \"%s?%s\"", code, r.URI, r.Args)
	r.ErrStatus = code
	switch code {
	case 400, 413, 414, 497, 495, 496, 500, 501:
		r.KeepAlive = false
	}
	r.Out.ContentType = ""
	l := r.Loc
	if !r.ErrorPage && l.errorPages != nil && r.URIChanges != 0 {
		if !l.recursiveErrors.v {
			r.ErrorPage = true
		}
		for i := range l.errorPages {
			if l.errorPages[i].code == code {
				return r.sendErrorPage(&l.errorPages[i])
			}
		}
	}
	if r.DiscardBody() != rcOK {
		r.KeepAlive = false
	}
	r.sendBuiltinPage(code)
	return stepEnd
}

// sendErrorPage follows an error_page directive.
func (r *Request) sendErrorPage(p *errorPage) step {
	if p.status != keepStatus {
		r.ErrStatus = p.status
	}
	target := p.target.eval(r)
	if strings.HasPrefix(target, "/") {
		if r.Method != "HEAD" {
			r.Method = "GET"
		}
		return r.finalize(r.jump(target))
	}
	if strings.HasPrefix(target, "@") {
		return r.finalize(r.jump(target))
	}
	switch p.status {
	case 301, 302, 303, 307, 308:
		r.ErrStatus = p.status
	default:
		r.ErrStatus = 302
	}
	r.Out.ClearLocation()
	r.Out.Location = target
	if r.DiscardBody() != rcOK {
		r.KeepAlive = false
	}
	r.sendBuiltinPage(r.ErrStatus)
	return stepEnd
}

// sendBuiltinPage sends nginx's own page for code.
func (r *Request) sendBuiltinPage(code int) {
	if code >= 494 && code <= 497 {
		r.ErrStatus = 400
	}
	page := builtinPage(code, r.Loc.serverTokens.v, r.wantsPadding())
	r.Out.ClearLength()
	r.Out.ContentLength = int64(len(page))
	if page != nil {
		r.Out.ContentType, r.Out.Charset = "text/html", ""
	}
	r.Out.Del("Accept-Ranges")
	r.Out.Del("Last-Modified")
	r.Out.Del("ETag")
	if rc := r.SendHeader(); rc != rcOK {
		if rc != rcError {
			r.KeepAlive = false
		}
		return
	}
	if r.HeaderOnly {
		return
	}
	r.output(page, outLast)
}

// wantsPadding reports whether the client is one that hides short error pages.
func (r *Request) wantsPadding() bool {
	if r.HTTPMajor < 1 {
		return false
	}
	agent, _ := r.In.Get("User-Agent")
	return strings.Contains(agent, "MSIE ") && !strings.Contains(agent, "Opera") || strings.Contains(agent, "Chrome/")
}
