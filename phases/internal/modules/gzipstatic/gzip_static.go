// Package gzipstatic is ngx_http_gzip_static_module: a file that stands beside
// another one, packed, is the answer.
package gzipstatic

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Module is ngx_http_gzip_static_module.
var Module = &core.Module{
	Name: "gzip_static",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "gzip_static", In: core.InHTTPSrvLoc, Args: core.Take1,
			Set: core.SetEnum(core.In(loc, func(c *config) *core.Opt[int] { return &c.mode }), "off", "on", "always")}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).mode.V != off {
			b.Handle(core.ContentPhase, serve)
		}
	},
}

var loc = core.NewLocSlot(func(c, outer *config, _ bool) { c.mode.Merge(outer.mode, off) })

// config is what gzip_static says.
type config struct{ mode core.Opt[int] }

const (
	off    = iota
	on     // for clients that take gzip
	always // whatever the client says
)

// serve answers with the packed file (ngx_http_gzip_static_handler). Whatever keeps
// it from that is logged and left to static, but for what is no file.
func serve(r *core.Request) int {
	if r.Method != "GET" && r.Method != "HEAD" || strings.HasSuffix(r.URI, "/") {
		return core.Declined
	}
	only := loc.Of(r.Loc).mode.V == on
	taken := !only || r.AcceptsGzip()
	if !taken && !r.Loc.GzipVary.V {
		return core.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	path += ".gz"
	if r.LogEnabled(errlog.Debug) {
		r.Logf(errlog.Debug, "http filename: \"%s\"", path)
	}
	file, info, err := r.OpenFile(path)
	if err != nil {
		if !core.IsNotThere(err) {
			r.OpenFailed(path, err)
		}
		return core.Declined
	}
	defer file.Close()
	if only {
		r.VaryEncoding = true
		if !taken {
			return core.Declined
		}
	}
	switch {
	case info.IsDir():
		r.Log(errlog.Debug, "http dir")
		return core.Declined
	case !info.Mode().IsRegular():
		r.Logf(errlog.Crit, "\"%s\" is not a regular file", path)
		return 404
	}
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	return send(r, file, info)
}

// send answers with the packed file; its type is that of the name without .gz.
func send(r *core.Request, file *os.File, info os.FileInfo) int {
	o := &r.Out
	r.Action = " while sending response to client"
	o.Status = 200
	o.ContentLength = info.Size()
	o.LastModified = info.ModTime().Unix()
	r.SetEntityTag(info)
	r.SetContentType()
	o.Headers.Add("Content-Encoding", "gzip")
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.OutputFile(file, info.Size())
}
