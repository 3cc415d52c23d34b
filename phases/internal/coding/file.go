package coding

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// When a packed file is the answer: the values of gzip_static and brotli_static.
const (
	Off    = iota
	On     // to clients that take the coding
	Always // whatever the client says
)

// SetFile reads off, on or always.
func SetFile(field func(c *core.Compiler) *core.Opt[int]) core.Setter {
	return core.SetEnum(field, "off", "on", "always")
}

// Files is how a module answers with files that stand packed beside others.
type Files struct {
	Suffix string // of their names
	Coding string // the value of Content-Encoding
	// Takes tells whether the client takes the coding.
	Takes func(r *core.Request) bool
	// Silent: Vary is left out of the answer to a client that does not take it.
	Silent bool
}

// Serve answers with the packed file, as mode says. Whatever keeps it from that is logged
// and left to static, but for what is no file (ngx_http_gzip_static_handler).
func (f *Files) Serve(r *core.Request, mode int) int {
	if r.Method != "GET" && r.Method != "HEAD" || strings.HasSuffix(r.URI, "/") {
		return core.Declined
	}
	only := mode == On
	taken := !only || f.Takes(r)
	if !taken && (f.Silent || !r.Loc.GzipVary.V) {
		return core.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	path += f.Suffix
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
	return f.send(r, file, info)
}

// send answers with the packed file; its type is that of the name without the suffix.
func (f *Files) send(r *core.Request, file *os.File, info os.FileInfo) int {
	o := &r.Out
	r.Action = " while sending response to client"
	o.Status = 200
	o.ContentLength = info.Size()
	o.LastModified = info.ModTime().Unix()
	r.SetEntityTag(info)
	r.SetContentType()
	o.Headers.Add("Content-Encoding", f.Coding)
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	return r.OutputFile(file, info.Size())
}
