// Package tryfiles is ngx_http_try_files_module.
package tryfiles

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_try_files_module.
var Module = &core.Module{
	Name: "try_files",
	Directives: func() []core.Directive {
		return []core.Directive{{Name: "try_files", In: core.InServer | core.InLocation, Args: core.TakeMore2, Set: set}}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).files != nil {
			b.Handle(core.PrecontentPhase, handle)
		}
	},
}

var loc = core.NewLocSlot[config](nil) // not inherited

// config is what try_files says.
type config struct {
	files []tryFile
	code  int // =CODE in the last place, 0 without
}

// tryFile is one parameter of try_files.
type tryFile struct {
	name core.Template
	dir  bool // ended in "/": a folder is looked for
}

func set(c *core.Compiler, d *conf.Directive) error {
	t := loc.At(c)
	if t.files != nil {
		return core.ErrDuplicate
	}
	for i, arg := range d.Args {
		last := i == len(d.Args)-1
		if last && strings.HasPrefix(arg, "=") {
			code, ok := ngxtext.ParseDecimal(arg[1:])
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
		if f.name, err = c.Template(arg); err != nil {
			return err
		}
		t.files = append(t.files, f)
	}
	return nil
}

// handle makes the first parameter that exists the URI; the last one is
// where the request goes when none does (ngx_http_try_files_handler).
func handle(r *core.Request) int {
	t, alias := loc.Of(r.Loc), r.Loc.Alias
	if !r.AliasUsable() {
		return 500
	}
	root := r.DocRoot()
	last := len(t.files) - 1
	for i := range t.files {
		f := &t.files[i]
		name := f.name.Eval(r)
		if n := alias; n > 0 && !f.name.IsStatic() && len(name) >= n && len(r.URI) >= n && name[:n] == r.URI[:n] {
			name = name[n:] // the part of the URI that the alias stands for
		}
		if i == last {
			return fallback(r, t, name)
		}
		path := root + name
		r.Logf(errlog.Debug, "trying to use %s: \"%s\" \"%s\"", map[bool]string{true: "dir", false: "file"}[f.dir], name, path)
		info, err := r.Stat(path)
		if err != nil && !core.IsNotThere(err) {
			r.Logf(errlog.Crit, "%s \"%s\" failed (%s)", core.OpenCall(err), path, conf.Errno(err))
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
			r.URIBehindAlias = true
		}
		return core.Declined
	}
	return core.Declined
}

// fallback sends the request to the last parameter.
func fallback(r *core.Request, t *config, name string) int {
	if t.code != 0 {
		return t.code
	}
	return r.Jump(name)
}
