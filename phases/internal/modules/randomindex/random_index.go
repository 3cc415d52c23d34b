// Package randomindex is ngx_http_random_index_module: any file of a folder stands for it.
package randomindex

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Module is ngx_http_random_index_module.
var Module = &core.Module{
	Name: "random_index",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "random_index", In: core.InLocation, Args: core.TakeFlag,
			Set: core.SetFlag(core.In(loc, func(c *config) *core.Opt[bool] { return &c.on }))}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).on.V {
			b.Handle(core.ContentPhase, serve)
		}
	},
}

var loc = core.NewLocSlot(func(c, outer *config, _ bool) { c.on.Merge(outer.on, false) })

// config is what random_index says.
type config struct{ on core.Opt[bool] }

// serve moves a request for a folder to one of its files; those whose names begin with a
// dot do not count (ngx_http_random_index_handler).
func serve(r *core.Request) int {
	if !strings.HasSuffix(r.URI, "/") || !core.IsReadMethod(r.Method) {
		return core.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	path = strings.TrimSuffix(path, "/")
	entries, err := os.ReadDir(path + "/")
	if err != nil {
		return failed(r, path, err)
	}
	names := entries[:0]
	for _, e := range entries {
		if isFile, err := regular(path, e); err != nil {
			r.Logf(errlog.Crit, "stat() \"%s/%s\" failed (%s)", path, e.Name(), conf.Errno(err))
			return 500
		} else if isFile && e.Name()[0] != '.' {
			names = append(names, e)
		}
	}
	if len(names) == 0 {
		return core.Declined
	}
	return r.InternalRedirect(r.URI+names[rand.IntN(len(names))].Name(), r.Args)
}

// regular tells a file, also behind a link; a link that leads nowhere is none.
func regular(path string, e fs.DirEntry) (bool, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular(), nil
	}
	info, err := os.Stat(path + "/" + e.Name())
	if errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular(), err
}

// failed gives the status for a folder that cannot be read.
func failed(r *core.Request, path string, err error) int {
	level, status := errlog.Crit, 500
	switch {
	case core.IsNotThere(err):
		level, status = errlog.Err, 404
	case errors.Is(err, syscall.EACCES):
		level, status = errlog.Err, 403
	}
	r.Logf(level, "opendir() \"%s\" failed (%s)", path, conf.Errno(err))
	return status
}
