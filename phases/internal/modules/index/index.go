// Package index is ngx_http_index_module: the file that stands for a folder.
package index

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Module is ngx_http_index_module.
var Module = &core.Module{
	Name: "index",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "index", In: core.InHTTPSrvLoc, Args: core.TakeMore1, Set: setIndex}}
	},
	Conf:  []core.ConfSlot{loc},
	Build: func(b *core.Builder, _ *core.Location) { b.Handle(core.ContentPhase, serve) },
}

var loc = core.NewLocSlot(merge)

// config is what index says.
type config struct{ names []core.Template }

func merge(x, outer *config, _ bool) {
	if x.names == nil {
		if x.names = outer.names; x.names == nil {
			x.names = []core.Template{{Lit: "index.html"}}
		}
	}
}

// setIndex reads index NAME...
func setIndex(c *core.Compiler, d *conf.Directive) error {
	names := &loc.At(c).names
	for i, arg := range d.Args {
		if strings.HasPrefix(arg, "/") && i != len(d.Args)-1 {
			c.Warnf(d, "only the last index in \"index\" directive should be absolute")
		}
		if arg == "" {
			return fmt.Errorf("index \"%s\" in \"index\" directive is invalid", arg)
		}
		t, err := c.Template(arg)
		if err != nil {
			return err
		}
		*names = append(*names, t)
	}
	return nil
}

// serve moves a request for a folder to its first index file that exists
// (ngx_http_index_handler).
func serve(r *core.Request) int {
	if !strings.HasSuffix(r.URI, "/") || !core.IsReadMethod(r.Method) {
		return core.Declined
	}
	folderTested := false
	names := loc.Of(r.Loc).names
	for i := range names {
		name := names[i].Eval(r)
		if strings.HasPrefix(name, "/") {
			return r.InternalRedirect(name, r.Args)
		}
		folder, ok := r.MapPath()
		if !ok {
			return 500
		}
		_, err := r.Stat(folder + name)
		if err == nil {
			return r.InternalRedirect(r.URI+name, r.Args)
		}
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) {
			return 403
		}
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENAMETOOLONG) {
			return failed(r, folder+name, err)
		}
		if !folderTested {
			if rc := testFolder(r, folder, folder+name); rc != core.OK {
				return rc
			}
			folderTested = true
		}
	}
	return core.Declined
}

// testFolder tells a folder without an index file from one that is missing. An alias may
// have no slash at its end.
func testFolder(r *core.Request, path, index string) int {
	info, err := r.Stat(path)
	switch {
	case err != nil:
		return failed(r, index, err)
	case !info.IsDir():
		r.Logf(errlog.Alert, "\"%s\" is not a directory", index)
		return 500
	}
	return core.OK
}

// failed gives the status for a folder that cannot be looked into.
func failed(r *core.Request, path string, err error) int {
	if errors.Is(err, syscall.EACCES) {
		r.Logf(errlog.Err, "\"%s\" is forbidden (%s)", path, conf.Errno(err))
		return 403
	}
	if r.Loc.LogNotFound.V {
		r.Logf(errlog.Err, "\"%s\" is not found (%s)", path, conf.Errno(err))
	}
	return 404
}
