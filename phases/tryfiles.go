package phases

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

var tryFilesModule = &Module{
	name: "try_files",
	build: func(b *builder, l *Location) {
		if l.tryFiles != nil {
			b.handle(stepPrecontent, (*Request).runTryFiles)
		}
	},
}

// tryFile is one parameter of try_files.
type tryFile struct {
	name template
	dir  bool // ended in "/": a folder is looked for
}

func setTryFiles(c *compiler, d *conf.Directive) error {
	if c.loc.tryFiles != nil {
		return errDuplicate
	}
	for i, arg := range d.Args {
		last := i == len(d.Args)-1
		if last && strings.HasPrefix(arg, "=") {
			code, ok := parseDecimal(arg[1:])
			if !ok || code > 999 {
				return directiveError("invalid code \"" + arg + "\"")
			}
			c.loc.tryFilesCode = int(code)
		}
		f := tryFile{}
		if !last && strings.HasSuffix(arg, "/") {
			f.dir, arg = true, arg[:len(arg)-1]
		}
		var err error
		if f.name, err = c.template(arg); err != nil {
			return err
		}
		c.loc.tryFiles = append(c.loc.tryFiles, f)
	}
	return nil
}

// runTryFiles makes the first parameter that exists the URI; the last one is
// where the request goes when none does (ngx_http_try_files_handler).
func (r *Request) runTryFiles() int {
	l := r.Loc
	if !r.aliasUsable() {
		return 500
	}
	root := r.docRoot()
	last := len(l.tryFiles) - 1
	for i := range l.tryFiles {
		f := &l.tryFiles[i]
		name := f.name.eval(r)
		if n := l.alias; n > 0 && !f.name.isStatic() && len(name) >= n && len(r.URI) >= n && name[:n] == r.URI[:n] {
			name = name[n:] // the part of the URI that the alias stands for
		}
		if i == last {
			return r.tryFallback(name)
		}
		path := root + name
		r.Logf(LogDebug, "trying to use %s: \"%s\" \"%s\"", map[bool]string{true: "dir", false: "file"}[f.dir], name, path)
		info, err := r.stat(path)
		if err != nil && !isNotThere(err) {
			r.Logf(LogCrit, "%s \"%s\" failed (%s)", openCall(err), path, errText(err))
		}
		if err != nil || info.IsDir() != f.dir {
			continue
		}
		switch {
		case l.alias == 0:
			r.URI = name
		case l.alias > 0:
			r.URI = r.URI[:min(l.alias, len(r.URI))] + name
		case !f.dir:
			r.URI = name
			r.uriBehindAlias = true
		}
		return rcDeclined
	}
	return rcDeclined
}

func (r *Request) tryFallback(name string) int {
	if r.Loc.tryFilesCode != 0 {
		return r.Loc.tryFilesCode
	}
	return r.jump(name)
}

// aliasWhole is the value of Location.alias where the alias stands for the whole
// URI: in a location with a regex.
const aliasWhole = -1

// aliasUsable reports whether the alias of the location, if it is one, can be told
// from the URI: not when a rewrite has changed it on the way.
func (r *Request) aliasUsable() bool {
	if r.Loc.alias == 0 || r.ValidLocation {
		return true
	}
	r.Logf(LogAlert, "\"alias\" cannot be used in location \"%s\" where URI was rewritten", r.Loc.name)
	return false
}

// mapPath is the file that the URI names by root or alias; ok is false where an
// alias cannot be used (ngx_http_map_uri_to_path).
func (r *Request) mapPath() (path string, ok bool) {
	if !r.aliasUsable() {
		return "", false
	}
	root := r.docRoot()
	switch n := r.Loc.alias; {
	case n > 0:
		return root + r.URI[min(n, len(r.URI)):], true
	case n == aliasWhole && !r.uriBehindAlias:
		return root, true
	}
	return root + r.URI, true
}

// docRoot is the value of root or alias, from the prefix.
func (r *Request) docRoot() string {
	return fullPath(r.Cycle.Prefix, r.Loc.root.v.eval(r))
}
