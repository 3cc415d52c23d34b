// Package static is ngx_http_static_module: a file is the answer.
package static

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_static_module.
var Module = &core.Module{
	Name:  "static",
	Build: func(b *core.Builder, _ *core.Location) { b.Handle(core.ContentPhase, serve) },
}

// serve answers with the file that the URI names
// (ngx_http_static_handler).
func serve(r *core.Request) int {
	if !core.IsReadMethod(r.Method) {
		return 405
	}
	if strings.HasSuffix(r.URI, "/") {
		return core.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	r.Logf(errlog.Debug, "http filename: \"%s\"", path)
	file, info, err := r.OpenFile(path)
	if err != nil {
		return r.OpenFailed(path, err)
	}
	defer file.Close()
	switch {
	case info.IsDir():
		r.Out.ClearLocation()
		r.Out.Location = ngxtext.EscapeURI(r.URI, ngxtext.EscapePath) + "/"
		if r.Args != "" {
			r.Out.Location += "?" + r.Args
		}
		return 301
	case !info.Mode().IsRegular():
		r.Logf(errlog.Crit, "\"%s\" is not a regular file", path)
		return 404
	case r.Method == "POST":
		return 405
	}
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	return send(r, file, info)
}

// send answers with a file.
func send(r *core.Request, file *os.File, info os.FileInfo) int {
	size := info.Size()
	r.Out.Status = 200
	r.Out.ContentLength = size
	r.Out.LastModified = info.ModTime().Unix()
	r.SetEntityTag(info)
	r.SetContentType()
	r.Action = " while sending response to client"
	r.Out.AllowRanges = true
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.OutputFile(file, size)
}
