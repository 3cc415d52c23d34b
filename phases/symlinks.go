package phases

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
)

// symlinkRule is disable_symlinks: which symbolic links on the way to a file make
// its opening fail.
type symlinkRule struct {
	mode symlinkMode
	from template // the part of the path that is not looked at
}

type symlinkMode int

const (
	symlinksAllowed symlinkMode = iota
	symlinksOwned               // a link and what it points to have the same owner
	symlinksForbidden
)

// setDisableSymlinks reads `disable_symlinks off | on|if_not_owner [from=part]`.
func setDisableSymlinks(c *compiler, d *conf.Directive) error {
	f := &c.loc.symlinks
	if f.set {
		return errDuplicate
	}
	modes := map[string]symlinkMode{"off": symlinksAllowed, "if_not_owner": symlinksOwned, "on": symlinksForbidden}
	rule := symlinkRule{mode: -1}
	for _, arg := range d.Args {
		if part, ok := strings.CutPrefix(arg, "from="); ok {
			var err error
			if rule.from, err = c.template(part); err != nil {
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
	case rule.mode == symlinksAllowed && len(d.Args) == 2:
		return fmt.Errorf("\"from=\" cannot be used with \"off\" parameter")
	case rule.mode != symlinksAllowed && !canGuardSymlinks:
		return refused("this system has no way to open files without following links")(c, d)
	}
	return f.put(rule)
}

// openFile opens a file of the request for reading, without waiting, be it a
// pipe. Links count as disable_symlinks says (ngx_open_file_wrapper).
func (r *Request) openFile(path string) (*os.File, os.FileInfo, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	var file *os.File
	var err error
	if rule := &r.Loc.symlinks.v; rule.mode == symlinksAllowed {
		file, err = os.OpenFile(path, flags, 0)
	} else {
		file, err = openGuarded(path, rule.skip(r, path), rule.mode, flags)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// stat looks at a file on the way that openFile takes to it.
func (r *Request) stat(path string) (os.FileInfo, error) {
	if r.Loc.symlinks.v.mode == symlinksAllowed {
		return os.Stat(path)
	}
	rule := &r.Loc.symlinks.v
	file, err := openGuarded(path, rule.skip(r, path), rule.mode, lookFlags)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		err = &os.PathError{Op: "openat", Path: path, Err: syscall.ELOOP}
	}
	return info, err
}

// skip is the length of the part of a path that is opened as usual.
func (rule *symlinkRule) skip(r *Request, path string) int {
	from := rule.from.eval(r)
	if from == "" || !strings.HasPrefix(path, from) {
		return 0
	}
	if n := len(from); n == len(path) || path[n] == '/' || from[n-1] == '/' {
		return n
	}
	return 0
}

// openCall is the system call that failed, for log lines.
func openCall(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Op + "()"
	}
	return "open()"
}
