// Package authbasic is ngx_http_auth_basic_module: names and passwords by HTTP's
// Basic scheme, of a file that is read anew for each request.
package authbasic

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Module is ngx_http_auth_basic_module.
var Module = &core.Module{
	Name: "auth_basic",
	Directives: func() []core.Directive {
		return []core.Directive{
			{Name: "auth_basic", In: core.InHTTPSrvLoc | core.InLimitExcept, Args: core.Take1, Set: core.SetTemplate(
				core.In(loc, func(c *config) *core.Opt[core.Template] { return &c.realm }))},
			{Name: "auth_basic_user_file", In: core.InHTTPSrvLoc | core.InLimitExcept, Args: core.Take1, Set: setUserFile},
		}
	},
	Conf: []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		c := loc.Of(l)
		if c.realm.Set && c.users.Set && (c.realm.V.Parts != nil || c.realm.V.Lit != off) {
			b.Handle(core.AccessPhase, handler)
		}
	},
}

// off is the realm that asks nobody.
const off = "off"

var loc = core.NewLocSlot(merge)

// config is what the directives say in a location. Both must be there.
type config struct {
	realm core.Opt[core.Template]
	users core.Opt[core.Template] // path of the file of names and passwords
}

func merge(c, outer *config, _ bool) {
	if !c.realm.Set {
		c.realm = outer.realm
	}
	if !c.users.Set {
		c.users = outer.users
	}
}

// setUserFile reads auth_basic_user_file. A path that does not begin with a variable
// is taken from the folder of the configuration file.
func setUserFile(c *core.Compiler, d *conf.Directive) error {
	f := &loc.At(c).users
	if f.Set {
		return core.ErrDuplicate
	}
	path := d.Args[0]
	if !strings.HasPrefix(path, "$") {
		path = c.FullConfPath(path)
	}
	t, err := c.Template(path)
	if err != nil {
		return err
	}
	return f.Put(t)
}

// handler lets in who has a name of the file and its password
// (ngx_http_auth_basic_handler).
func handler(r *core.Request) int {
	c := loc.Of(r.Loc)
	realm := c.realm.V.Eval(r)
	if realm == off {
		return core.Declined
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		r.Log(errlog.Info, "no user/password was provided for basic authentication")
		return ask(r, realm)
	}
	path := c.users.V.Eval(r)
	stored, found, err := lookUp(path, user)
	switch {
	case err != nil:
		return failed(r, path, err)
	case !found:
		r.Logf(errlog.Err, "user \"%s\" was not found in \"%s\"", user, path)
		return ask(r, realm)
	}
	same, err := check(password, stored)
	switch {
	case err != nil:
		r.Logf(errlog.Crit, "user \"%s\": %v", user, err)
		return 500
	case !same:
		r.Logf(errlog.Err, "user \"%s\": password mismatch", user)
		return ask(r, realm)
	}
	return core.OK
}

// ask refuses, and says what the client is to give. nginx puts the realm between
// quotes as it is.
func ask(r *core.Request, realm string) int {
	r.Out.Headers.Set("WWW-Authenticate", "Basic realm=\""+realm+"\"")
	return 401
}

// failed answers when the file of names cannot be read. One that is not there is
// nobody's name: that is a refusal, and less important.
func failed(r *core.Request, path string, err error) int {
	level, status := errlog.Crit, 500
	if errors.Is(err, fs.ErrNotExist) {
		level, status = errlog.Err, 403
	}
	call := "open"
	if e := (*fs.PathError)(nil); errors.As(err, &e) && e.Op == "read" {
		call = "pread"
	}
	r.Log(level, fmt.Sprintf("%s() \"%s\" failed (%s)", call, path, conf.Errno(err)))
	return status
}

// maxStored is how much of a password in the file counts, in bytes
// (NGX_HTTP_AUTH_BUF_SIZE).
const maxStored = 2048

// lookUp finds the password of a name in a file, which has NAME:PASSWORD[:COMMENT] a
// line. The first line of the name counts.
func lookUp(path, user string) (stored string, found bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, user); ok && strings.HasPrefix(rest, ":") && line[0] != '#' && line[0] != '\r' {
			stored = rest[1:]
			if end := strings.IndexAny(stored, "\r\n:"); end >= 0 {
				stored = stored[:end]
			}
			return stored[:min(len(stored), maxStored)], true, nil
		}
		switch err {
		case nil:
		case io.EOF:
			return "", false, nil
		default:
			return "", false, err
		}
	}
}
