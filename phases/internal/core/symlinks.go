package core

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/openat"
)

// symlinkRule is disable_symlinks: which symbolic links on the way to a file make
// its opening fail.
type symlinkRule struct {
	mode openat.Links
	from Template // the part of the path that is not looked at
}

// setDisableSymlinks reads `disable_symlinks off | on|if_not_owner [from=part]`.
func setDisableSymlinks(c *Compiler, d *conf.Directive) error {
	f := &c.Loc.symlinks
	if f.Set {
		return ErrDuplicate
	}
	modes := map[string]openat.Links{"off": openat.Allowed, "if_not_owner": openat.Owned, "on": openat.Forbidden}
	rule := symlinkRule{mode: -1}
	for _, arg := range d.Args {
		if part, ok := strings.CutPrefix(arg, "from="); ok {
			var err error
			if rule.from, err = c.Template(part); err != nil {
				return err
			}
			continue
		}
		mode, ok := modes[arg]
		if !ok {
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if rule.mode >= 0 {
			return fmt.Errorf("duplicate parameters \"%s\"", strings.Join(d.Args, " "))
		}
		rule.mode = mode
	}
	switch {
	case rule.mode < 0:
		return fmt.Errorf("\"%s\" must have \"off\", \"on\" or \"if_not_owner\" parameter", d.Name)
	case rule.mode == openat.Allowed && len(d.Args) == 2:
		return fmt.Errorf("\"from=\" cannot be used with \"off\" parameter")
	case rule.mode != openat.Allowed && !openat.Can:
		return Refused("this system has no way to open files without following links")(c, d)
	}
	return f.Put(rule)
}

// skip is the length of the part of a path that is opened as usual.
func (rule *symlinkRule) skip(r *Request, path string) int {
	from := rule.from.Eval(r)
	if from == "" || !strings.HasPrefix(path, from) {
		return 0
	}
	if n := len(from); n == len(path) || path[n] == '/' || from[n-1] == '/' {
		return n
	}
	return 0
}
