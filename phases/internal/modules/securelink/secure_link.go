// Package securelink is ngx_http_secure_link_module: variables tell whether a link was
// made by somebody who knows a secret, and until when it is good.
package securelink

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_secure_link_module.
var Module = &core.Module{
	Name:       "secure_link",
	Directives: directives,
	Variables:  variables,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).mixed {
			b.Fail(errors.New("\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\""))
		}
	},
}

var (
	loc  = core.NewLocSlot(merge)
	note = core.NewNote[string](nil) // the time that a link names, as written
)

// config is what the directives say: the old form has a secret alone.
type config struct {
	link, hashed core.Opt[core.Template]
	secret       core.Opt[string]
	mixed        bool
}

// merge lets a location with a secret inherit nothing, and one with an expression no
// secret (ngx_http_secure_link_merge_conf).
func merge(c, outer *config, _ bool) {
	if c.secret.Set {
		c.mixed = c.link.Set || c.hashed.Set
		return
	}
	if !c.link.Set {
		c.link = outer.link
	}
	if !c.hashed.Set {
		c.hashed = outer.hashed
	}
	if !c.link.Set && !c.hashed.Set {
		c.secret = outer.secret
	}
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "secure_link", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(c *config) *core.Opt[core.Template] { return &c.link }))},
		{Name: "secure_link_md5", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetTemplate(core.In(loc, func(c *config) *core.Opt[core.Template] { return &c.hashed }))},
		{Name: "secure_link_secret", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetText(core.In(loc, func(c *config) *core.Opt[string] { return &c.secret }))},
	}
}

func variables() []core.Variable {
	return []core.Variable{
		{Name: "secure_link", Get: link},
		{Name: "secure_link_expires", Get: expires},
	}
}

// link is $secure_link: "1" for a good link, "0" for one whose time is over, no value
// for others. A link with a secret alone gives what stands behind its hash
// (ngx_http_secure_link_variable).
func link(r *core.Request) (string, bool) {
	c := loc.Of(r.Loc)
	if c.secret.Set {
		return oldLink(r.RequestURI, c.secret.V)
	}
	if !c.link.Set || !c.hashed.Set {
		return "", false
	}
	text, until, timed := strings.Cut(c.link.V.Eval(r), ",")
	var end int64
	if timed {
		var ok bool
		if end, ok = ngxtext.ParseDecimal(until); !ok || end == 0 {
			return "", false
		}
		*note.Of(r) = until
	}
	const longest = 24 // the base64 of a hash
	if len(text) > longest {
		return "", false
	}
	text, _, _ = strings.Cut(text, "=")
	hash, err := base64.RawURLEncoding.DecodeString(text)
	want := md5.Sum([]byte(c.hashed.V.Eval(r)))
	switch {
	case err != nil || !bytes.Equal(hash, want[:]):
		return "", false
	case timed && end < time.Now().Unix():
		return "0", true
	}
	return "1", true
}

// oldLink judges /PREFIX/HASH/LINK, and gives the link
// (ngx_http_secure_link_old_variable).
func oldLink(uri, secret string) (string, bool) {
	if uri == "" {
		return "", false
	}
	_, rest, found := strings.Cut(uri[1:], "/")
	digest, link, more := strings.Cut(rest, "/")
	if !found || !more || link == "" || len(digest) != 2*md5.Size {
		return "", false
	}
	hash, err := hex.DecodeString(digest)
	want := md5.Sum([]byte(link + secret))
	if err != nil || !bytes.Equal(hash, want[:]) {
		return "", false
	}
	return link, true
}

// expires is $secure_link_expires, known once $secure_link was asked for.
func expires(r *core.Request) (string, bool) {
	until := note.Get(r)
	if until == nil {
		return "", false
	}
	return *until, true
}
