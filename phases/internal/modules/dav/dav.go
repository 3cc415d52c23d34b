// Package dav is ngx_http_dav_module: clients change files by PUT, DELETE, MKCOL, COPY and
// MOVE.
package dav

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_dav_module.
var Module = &core.Module{
	Name:       "dav",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).methods.V > 1 {
			b.Handle(core.ContentPhase, handler)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what the directives say in a location.
type config struct {
	methods    core.Opt[int] // bits of methods
	createPath core.Opt[bool]
	access     core.Opt[fs.FileMode]
	depth      core.Opt[int]
}

func merge(c, outer *config, _ bool) {
	c.methods.Merge(outer.methods, 1) // off
	c.createPath.Merge(outer.createPath, false)
	c.access.Merge(outer.access, 0o600)
	c.depth.Merge(outer.depth, 0)
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "dav_methods", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setMethods},
		{Name: "create_full_put_path", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.createPath }))},
		{Name: "dav_access", In: core.InHTTPSrvLoc, Args: core.Take123, Set: core.SetAccess(core.In(loc, func(c *config) *core.Opt[fs.FileMode] { return &c.access }))},
		{Name: "min_delete_depth", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetNumber(core.In(loc, func(c *config) *core.Opt[int] { return &c.depth }))},
	}
}

// methods are the values of dav_methods and who serves them.
var methods = []struct {
	name  string
	serve func(r *core.Request, c *config) int
}{
	{"off", nil}, {"PUT", put}, {"DELETE", remove}, {"MKCOL", makeFolder}, {"COPY", copyOrMove}, {"MOVE", copyOrMove},
}

// setMethods reads dav_methods off | METHOD...; several directives add up.
func setMethods(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).methods
	f.Set = true
next:
	for _, arg := range d.Args {
		for i := range methods {
			if !ngxtext.EqualFold(arg, methods[i].name) {
				continue
			}
			if f.V&(1<<i) != 0 {
				c.Warnf(d, "duplicate value \"%s\"", arg)
			}
			f.V |= 1 << i
			continue next
		}
		return fmt.Errorf("invalid value \"%s\"", arg)
	}
	return nil
}

// handler serves the methods that are allowed (ngx_http_dav_handler).
func handler(r *core.Request) int {
	c := loc.Of(r.Loc)
	for i := 1; i < len(methods); i++ {
		if m := &methods[i]; m.name == r.Method && c.methods.V&(1<<i) != 0 {
			return m.serve(r, c)
		}
	}
	return core.Declined
}

// withoutBody throws the body away of a method that has none; others are refused.
func withoutBody(r *core.Request, complaint string) int {
	if r.ContentLength > 0 || r.Chunked {
		r.Log(errlog.Err, complaint+" unsupported")
		return 415
	}
	return r.DiscardBody()
}

// isFolder tells a URI that names a folder.
func isFolder(uri string) bool { return strings.HasSuffix(uri, "/") }

// remove serves DELETE (ngx_http_dav_delete_handler).
func remove(r *core.Request, c *config) int {
	if rc := withoutBody(r, "DELETE with body is"); rc != core.OK {
		return rc
	}
	if !deepEnough(r, c.depth.V) {
		return 409
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return failed(r, err, 409, "lstat()", path)
	case err != nil:
		return failed(r, err, 404, "lstat()", path)
	}
	depth := depthOf(r, infinity)
	switch {
	case info.IsDir() && !isFolder(r.URI):
		r.Logf(errlog.Err, "DELETE \"%s\" failed (%s)", path, conf.Errno(syscall.EISDIR))
		return 409
	case info.IsDir() && depth != infinity:
		r.Log(errlog.Err, "\"Depth\" header must be infinity")
		return 400
	case !info.IsDir() && depth != 0 && depth != infinity:
		r.Log(errlog.Err, "\"Depth\" header must be 0 or infinity")
		return 400
	}
	if rc := deletePath(r, strings.TrimSuffix(path, "/"), info.IsDir()); rc != core.OK {
		return rc
	}
	return 204
}

// deepEnough tells whether the URI has as many parts as min_delete_depth wants.
func deepEnough(r *core.Request, least int) bool {
	d := 0
	for i := range len(r.URI) {
		if r.URI[i] != '/' {
			continue
		}
		if d++; d >= least && i+1 < len(r.URI) {
			return true
		}
	}
	if least != 0 {
		r.Logf(errlog.Err, "insufficient URI depth:%d to DELETE", d)
	}
	return least == 0
}

// makeFolder serves MKCOL (ngx_http_dav_mkcol_handler).
func makeFolder(r *core.Request, c *config) int {
	if rc := withoutBody(r, "MKCOL with body is"); rc != core.OK {
		return rc
	}
	if !isFolder(r.URI) {
		r.Log(errlog.Err, "MKCOL can create a collection only")
		return 409
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	path = strings.TrimSuffix(path, "/")
	if err := syscall.Mkdir(path, uint32(folderAccess(c.access.V))); err != nil {
		return failed(r, err, 409, "mkdir()", path)
	}
	locate(r)
	return 201
}

// folderAccess gives those who may read a folder the right to enter it (ngx_dir_access).
func folderAccess(files fs.FileMode) fs.FileMode { return files | files&0o444>>2 }

// locate says where what was made is (ngx_http_dav_location).
func locate(r *core.Request) { r.Out.SetLocation(ngxtext.EscapeURI(r.URI, ngxtext.EscapePath)) }

// failed logs a failed call and gives its status (ngx_http_dav_error).
func failed(r *core.Request, err error, notFound int, call, path string) int {
	level, status := errlog.Crit, 500
	switch {
	case core.IsNotThere(err):
		level, status = errlog.Err, notFound
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		level, status = errlog.Err, 403
	case errors.Is(err, syscall.EEXIST):
		level, status = errlog.Err, 405
	case errors.Is(err, syscall.ENOSPC):
		status = 507
	}
	r.Logf(level, "%s \"%s\" failed (%s)", call, path, conf.Errno(err))
	return status
}

// The values of Depth; a header without one of them is invalid.
const (
	infinity = -1
	invalid  = -2
)

// depthOf is what Depth says, byDefault without one (ngx_http_dav_depth).
func depthOf(r *core.Request, byDefault int) int {
	value, ok := r.In.Get("Depth")
	if !ok {
		return byDefault
	}
	switch value {
	case "0":
		return 0
	case "1":
		return 1
	case "infinity":
		return infinity
	}
	r.Logf(errlog.Err, "client sent invalid \"Depth\" header: \"%s\"", value)
	return invalid
}
