package phases

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// indexModule is ngx_http_index_module.
var indexModule = &Module{
	name: "index",
	directives: func() []directive {
		return []directive{{"index", inHTTPSrvLoc, takeMore1, setIndex}}
	},
	conf:  []confSlot{indexLoc},
	build: func(b *builder, _ *Location) { b.handle(stepContent, serveIndex) },
}

var indexLoc = newLocSlot(mergeIndex)

// indexConf is what index says.
type indexConf struct{ names []template }

func mergeIndex(x, outer *indexConf, _ bool) {
	if x.names == nil {
		if x.names = outer.names; x.names == nil {
			x.names = []template{{lit: "index.html"}}
		}
	}
}

// setIndex reads index NAME...
func setIndex(c *compiler, d *conf.Directive) error {
	names := &indexLoc.at(c).names
	for i, arg := range d.Args {
		if strings.HasPrefix(arg, "/") && i != len(d.Args)-1 {
			c.warnf(d, "only the last index in \"index\" directive should be absolute")
		}
		if arg == "" {
			return fmt.Errorf("index \"%s\" in \"index\" directive is invalid", arg)
		}
		t, err := c.template(arg)
		if err != nil {
			return err
		}
		*names = append(*names, t)
	}
	return nil
}

// serveIndex moves a request for a folder to its first index file that exists
// (ngx_http_index_handler).
func serveIndex(r *Request) int {
	if !strings.HasSuffix(r.URI, "/") || !isReadMethod(r.Method) {
		return rcDeclined
	}
	folderTested := false
	names := indexLoc.of(r.Loc).names
	for i := range names {
		name := names[i].eval(r)
		if strings.HasPrefix(name, "/") {
			return r.InternalRedirect(name, r.Args)
		}
		folder, ok := r.mapPath()
		if !ok {
			return 500
		}
		_, err := r.stat(folder + name)
		if err == nil {
			return r.InternalRedirect(r.URI+name, r.Args)
		}
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) {
			return 403
		}
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENAMETOOLONG) {
			return indexError(r, folder+name, err)
		}
		if !folderTested {
			if rc := testIndexFolder(r, strings.TrimSuffix(folder, "/"), folder+name); rc != rcOK {
				return rc
			}
			folderTested = true
		}
	}
	return rcDeclined
}

// testIndexFolder tells a folder without an index file from one that is missing.
func testIndexFolder(r *Request, path, index string) int {
	info, err := r.stat(path + "/")
	switch {
	case err != nil:
		return indexError(r, index, err)
	case !info.IsDir():
		r.Logf(errlog.Alert, "\"%s\" is not a directory", path)
		return 500
	}
	return rcOK
}

// indexError gives the status for a folder that cannot be looked into.
func indexError(r *Request, path string, err error) int {
	if errors.Is(err, syscall.EACCES) {
		r.Logf(errlog.Err, "\"%s\" is forbidden (%s)", path, conf.Errno(err))
		return 403
	}
	if r.Loc.logNotFound.v {
		r.Logf(errlog.Err, "\"%s\" is not found (%s)", path, conf.Errno(err))
	}
	return 404
}
