package phases

import (
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

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
	last := len(l.tryFiles) - 1
	for i := range l.tryFiles {
		f := &l.tryFiles[i]
		name := f.name.eval(r)
		if i == last {
			return r.tryFallback(name)
		}
		path := r.tryPath(name)
		r.Logf(LogDebug, "trying to use %s: \"%s\" \"%s\"", map[bool]string{true: "dir", false: "file"}[f.dir], name, path)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() != f.dir {
			continue
		}
		if l.alias && l.kind != matchRegex {
			name = l.name + name
		}
		r.URI = name
		return rcDeclined
	}
	return rcDeclined
}

// tryPath is the file a parameter of try_files names.
func (r *Request) tryPath(name string) string {
	l := r.Loc
	root := r.docRoot()
	if l.alias {
		return root + strings.TrimPrefix(name, l.name)
	}
	return root + name
}

func (r *Request) tryFallback(name string) int {
	if r.Loc.tryFilesCode != 0 {
		return r.Loc.tryFilesCode
	}
	return r.jump(name)
}

// mapPath is the file that uri names by root or alias.
func (r *Request) mapPath(uri string) string {
	l := r.Loc
	root := r.docRoot()
	if !l.alias {
		return root + uri
	}
	if l.kind == matchRegex || !r.ValidLocation && !strings.HasPrefix(uri, l.name) {
		return root
	}
	return root + strings.TrimPrefix(uri, l.name)
}

// docRoot is the value of root or alias, from the prefix.
func (r *Request) docRoot() string {
	return fullPath(r.Cycle.Prefix, r.Loc.root.v.eval(r))
}
