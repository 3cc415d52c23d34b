package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// tryFilesModule is ngx_http_try_files_module.
var tryFilesModule = &Module{
	name: "try_files",
	directives: func() []directive {
		return []directive{{"try_files", inServer | inLocation, takeMore2, setTryFiles}}
	},
	conf: []confSlot{tryFilesLoc},
	build: func(b *builder, l *Location) {
		if tryFilesLoc.of(l).files != nil {
			b.handle(stepPrecontent, runTryFiles)
		}
	},
}

var tryFilesLoc = newLocSlot[tryFilesConf](nil) // not inherited

// tryFilesConf is what try_files says.
type tryFilesConf struct {
	files []tryFile
	code  int // =CODE in the last place, 0 without
}

// tryFile is one parameter of try_files.
type tryFile struct {
	name template
	dir  bool // ended in "/": a folder is looked for
}

func setTryFiles(c *compiler, d *conf.Directive) error {
	t := tryFilesLoc.at(c)
	if t.files != nil {
		return errDuplicate
	}
	for i, arg := range d.Args {
		last := i == len(d.Args)-1
		if last && strings.HasPrefix(arg, "=") {
			code, ok := parseDecimal(arg[1:])
			if !ok || code > 999 {
				return fmt.Errorf("invalid code \"%s\"", arg)
			}
			t.code = int(code)
		}
		f := tryFile{}
		if !last && strings.HasSuffix(arg, "/") {
			f.dir, arg = true, arg[:len(arg)-1]
		}
		var err error
		if f.name, err = c.template(arg); err != nil {
			return err
		}
		t.files = append(t.files, f)
	}
	return nil
}

// runTryFiles makes the first parameter that exists the URI; the last one is
// where the request goes when none does (ngx_http_try_files_handler).
func runTryFiles(r *Request) int {
	t, alias := tryFilesLoc.of(r.Loc), r.Loc.alias
	if !r.aliasUsable() {
		return 500
	}
	root := r.docRoot()
	last := len(t.files) - 1
	for i := range t.files {
		f := &t.files[i]
		name := f.name.eval(r)
		if n := alias; n > 0 && !f.name.isStatic() && len(name) >= n && len(r.URI) >= n && name[:n] == r.URI[:n] {
			name = name[n:] // the part of the URI that the alias stands for
		}
		if i == last {
			return tryFallback(r, t, name)
		}
		path := root + name
		r.Logf(errlog.Debug, "trying to use %s: \"%s\" \"%s\"", map[bool]string{true: "dir", false: "file"}[f.dir], name, path)
		info, err := r.stat(path)
		if err != nil && !isNotThere(err) {
			r.Logf(errlog.Crit, "%s \"%s\" failed (%s)", openCall(err), path, conf.Errno(err))
		}
		if err != nil || info.IsDir() != f.dir {
			continue
		}
		switch {
		case alias == 0:
			r.URI = name
		case alias > 0:
			r.URI = r.URI[:min(alias, len(r.URI))] + name
		case !f.dir:
			r.URI = name
			r.uriBehindAlias = true
		}
		return rcDeclined
	}
	return rcDeclined
}

// tryFallback sends the request to the last parameter.
func tryFallback(r *Request, t *tryFilesConf, name string) int {
	if t.code != 0 {
		return t.code
	}
	return r.jump(name)
}
