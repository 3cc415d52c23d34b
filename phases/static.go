package phases

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// staticModule is ngx_http_static_module.
var staticModule = &Module{
	name:  "static",
	build: func(b *builder, _ *Location) { b.handle(stepContent, serveStatic) },
}

// serveStatic answers with the file that the URI names
// (ngx_http_static_handler).
func serveStatic(r *Request) int {
	if !isReadMethod(r.Method) {
		return 405
	}
	if strings.HasSuffix(r.URI, "/") {
		return rcDeclined
	}
	path, ok := r.mapPath()
	if !ok {
		return 500
	}
	r.Logf(errlog.Debug, "http filename: \"%s\"", path)
	file, info, err := r.openFile(path)
	if err != nil {
		return r.openFailed(path, err)
	}
	defer file.Close()
	switch {
	case info.IsDir():
		r.Out.ClearLocation()
		r.Out.Location = escapeURI(r.URI, escapePath) + "/"
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
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	return sendStatic(r, file, info)
}

// sendStatic answers with a file.
func sendStatic(r *Request, file *os.File, info os.FileInfo) int {
	size := info.Size()
	r.Out.Status = 200
	r.Out.ContentLength = size
	r.Out.LastModified = info.ModTime().Unix()
	r.setEntityTag(info)
	r.setContentType()
	r.action = " while sending response to client"
	r.Out.allowRanges = true
	if rc := r.SendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	return r.outputFile(file, size)
}
