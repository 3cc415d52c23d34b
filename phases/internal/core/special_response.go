package core

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/phases/internal/status"
)

// ErrorPage is one error_page directive for one code.
type ErrorPage struct {
	Code   int
	status int // overriding status; keepStatus or handlerStatus
	target Template
}

const (
	keepStatus    = -1 // answer with the code itself
	handlerStatus = 0  // "=": answer with what the target's handler says
)

// specialResponse answers with an error page for code: the configured one or
// nginx's own (ngx_http_special_response_handler). It returns where the
// phases go on.
func (r *Request) specialResponse(code int) Phase {
	if r.HeadersSent && !r.postAction {
		r.Logf(errlog.Alert, "header already sent")
		r.Terminate(0)
		return endPhase
	}
	r.Logf(errlog.Debug, "http special response: %d, \"%s?%s\"", code, r.URI, r.Args)
	r.ErrStatus = code
	switch code {
	case 400, 413, 414, 497, 495, 496, 500, 501:
		r.KeepAlive = false
	}
	r.Out.ContentType = ""
	l := r.Loc
	if !r.errorPage && l.ErrorPages != nil && r.uriChanges != 0 {
		if !l.recursiveErrors.V {
			r.errorPage = true
		}
		for i := range l.ErrorPages {
			if l.ErrorPages[i].Code == code {
				return r.sendErrorPage(&l.ErrorPages[i])
			}
		}
	}
	r.expectTested = true
	if r.DiscardBody() != OK {
		r.KeepAlive = false
	}
	if r.refreshes() && (code == 301 || code == 302) {
		r.sendRefresh()
		return endPhase
	}
	r.sendBuiltinPage(code)
	return endPhase
}

// sendErrorPage follows an error_page directive.
func (r *Request) sendErrorPage(p *ErrorPage) Phase {
	if p.status != keepStatus {
		r.ErrStatus = p.status
	}
	if p.status > 0 && p.status != 200 {
		r.expectTested = true
	}
	target := p.target.Eval(r)
	if strings.HasPrefix(target, "/") {
		if r.Method != "HEAD" {
			r.Method = "GET"
		}
		return r.finalize(r.Jump(target))
	}
	if strings.HasPrefix(target, "@") {
		return r.finalize(r.Jump(target))
	}
	switch p.status {
	case 301, 302, 303, 307, 308:
		r.ErrStatus = p.status
	default:
		r.ErrStatus = 302
	}
	r.Out.SetLocation(target)
	r.expectTested = true
	if r.DiscardBody() != OK {
		r.KeepAlive = false
	}
	if r.refreshes() {
		r.sendRefresh()
		return endPhase
	}
	r.sendBuiltinPage(r.ErrStatus)
	return endPhase
}

// sendBuiltinPage sends nginx's own page for code.
func (r *Request) sendBuiltinPage(code int) {
	if code >= 494 && code <= 497 {
		r.ErrStatus = 400
	}
	page := status.Page(code, r.Loc.ServerName, r.wantsPadding())
	r.Out.ClearLength()
	r.Out.ContentLength = int64(len(page))
	if page != nil {
		r.Out.ContentType, r.Out.Charset = "text/html", ""
	}
	r.Out.Del("Accept-Ranges")
	r.Out.Del("Last-Modified")
	r.Out.Del("ETag")
	r.sendPage(page)
}

// sendPage sends head and body of a page.
func (r *Request) sendPage(page []byte) {
	rc := r.SendHeader()
	if rc == OK && !r.HeaderOnly {
		rc = r.Emit(page, Last)
	}
	if rc != OK {
		r.Terminate(Error)
	}
}

// wantsPadding reports whether the client is one that hides short error pages
// (msie_padding).
func (r *Request) wantsPadding() bool {
	return r.HTTPMajor >= 1 && r.Loc.msiePadding.V && r.browser()&(ngxtext.BrowserMSIE|ngxtext.BrowserChrome) != 0
}

// refreshes reports whether the client is to be redirected by a page (msie_refresh).
func (r *Request) refreshes() bool {
	return r.Loc.msieRefresh.V && r.browser()&ngxtext.BrowserMSIE != 0
}

// sendRefresh answers with a page that leads to the redirect's target
// (ngx_http_send_refresh).
func (r *Request) sendRefresh() {
	o := &r.Out
	target, _ := o.Get("Location")
	page := "<html><head><meta http-equiv=\"Refresh\" content=\"0; URL=" + ngxtext.EscapeURI(target, ngxtext.EscapeRefresh) +
		"\"></head><body></body></html>\r\n"
	r.ErrStatus = 200
	o.ContentType = "text/html"
	o.ClearLocation()
	o.ClearLength()
	o.ContentLength = int64(len(page))
	o.ClearRanges()
	o.Del("Last-Modified")
	o.Del("ETag")
	r.sendPage([]byte(page))
}

// browser is what the request's User-Agent says.
func (r *Request) browser() ngxtext.Browsers {
	agent, _ := r.In.Get("User-Agent")
	return ngxtext.BrowserOf(agent)
}
