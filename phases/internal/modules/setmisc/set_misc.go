// Package setmisc is ngx_http_set_misc_module: directives of the rewrite script that set
// a variable to what a function makes of a text.
package setmisc

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_set_misc_module.
var Module = &core.Module{
	Name:       "set_misc",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
}

var loc = core.NewLocSlot(func(p, outer *config, _ bool) {
	p.padding.Merge(outer.padding, true)
	p.alphabet.Merge(outer.alphabet, base32Alphabet)
})

// base32Alphabet is that of RFC 4648's base32hex in lower case.
const base32Alphabet = "0123456789abcdefghijklmnopqrstuv"

// config is how base32 is written in a location.
type config struct {
	padding  core.Opt[bool]
	alphabet core.Opt[string]
}

// function makes a value of its arguments; ok is false for those that end the request.
type function func(r *core.Request, args []string) (value string, ok bool)

// of makes a function of one that looks at a single text.
func of(f func(s string) string) function {
	return func(_ *core.Request, args []string) (string, bool) { return f(args[0]), true }
}

func directives() []core.Directive {
	const where = core.InRewrite
	list := []core.Directive{
		{Name: "set_if_empty", In: where, Args: core.Take2, Set: setIfEmpty},
		{Name: "set_hmac_sha1", In: where, Args: core.Take3, Set: setter(mac(sha1.New))},
		{Name: "set_hmac_sha256", In: where, Args: core.Take3, Set: setter(mac(sha256.New))},
		{Name: "set_misc_base32_padding", In: core.InHTTPSrvLoc | core.InLocationIf, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(p *config) *core.Opt[bool] { return &p.padding }))},
		{Name: "set_base32_alphabet", In: core.InHTTPSrvLoc | core.InLocationIf, Args: core.Take1, Set: setAlphabet},
	}
	for name, f := range map[string]function{
		"set_quote_sql_str":    of(quoteSQL),
		"set_escape_uri":       of(func(s string) string { return ngxtext.EscapeByType(s, 2) }),
		"set_encode_base32":    encodeBase32,
		"set_decode_base32":    decodeBase32,
		"set_encode_base64":    of(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"set_encode_base64url": of(func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }),
		"set_encode_hex":       of(func(s string) string { return hex.EncodeToString([]byte(s)) }),
		"set_decode_hex":       decodeHex,
		"set_md5":              of(func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }),
		"set_sha1":             of(func(s string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(s))) }),
	} {
		list = append(list, core.Directive{Name: name, In: where, Args: core.Take12, Set: setter(f)})
	}
	return list
}

// setter reads $VARIABLE ARGUMENT...; without arguments the variable's own value is the
// argument.
func setter(f function) core.Setter {
	return func(c *core.Compiler, d *conf.Directive) error {
		name, err := core.VariableName(d.Args[0])
		if err != nil {
			return err
		}
		v, err := c.DefineVar(name)
		if err != nil {
			return err
		}
		op := &setOp{index: v.Index, f: f}
		given := d.Args[1:]
		if len(given) == 0 {
			given = d.Args
		}
		for _, arg := range given {
			t, err := c.Template(arg)
			if err != nil {
				return err
			}
			op.args = append(op.args, t)
		}
		c.Emit(op)
		return nil
	}
}

// setOp is one of these directives in a rewrite script.
type setOp struct {
	index int
	f     function
	args  []core.Template
}

// Exec sets the variable.
func (o *setOp) Exec(r *core.Request) int {
	args := make([]string, len(o.args))
	for i := range o.args {
		args[i] = o.args[i].Eval(r)
	}
	value, ok := o.f(r, args)
	if !ok {
		r.ScriptStatus = 500
		return core.StopScript
	}
	r.SetIndexed(o.index, value)
	return 0
}

// setIfEmpty reads set_if_empty $VARIABLE VALUE.
func setIfEmpty(c *core.Compiler, d *conf.Directive) error {
	own := *d
	own.Args = []string{d.Args[0], d.Args[0], d.Args[1]}
	return setter(func(_ *core.Request, args []string) (string, bool) {
		if args[0] != "" {
			return args[0], true
		}
		return args[1], true
	})(c, &own)
}

// setAlphabet reads set_base32_alphabet TEXT.
func setAlphabet(c *core.Compiler, d *conf.Directive) error {
	if len(d.Args[0]) != 32 {
		return fmt.Errorf("\"set_base32_alphabet\" directive takes an alphabet of %d bytes but 32 expected", len(d.Args[0]))
	}
	return loc.At(c).alphabet.Put(d.Args[0])
}

func mac(h func() hash.Hash) function {
	return func(_ *core.Request, args []string) (string, bool) {
		m := hmac.New(h, []byte(args[0]))
		m.Write([]byte(args[1]))
		return string(m.Sum(nil)), true
	}
}

// quoteSQL quotes a text for MySQL.
func quoteSQL(s string) string {
	b := []byte{'\''}
	for i := range len(s) {
		switch c := s[i]; c {
		case 0:
			b = append(b, '\\', '0')
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case 0x1a:
			b = append(b, '\\', 'Z')
		case '\'', '"', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '\''))
}

func (p *config) base32() *base32.Encoding {
	e := base32.NewEncoding(p.alphabet.V)
	if !p.padding.V {
		e = e.WithPadding(base32.NoPadding)
	}
	return e
}

func encodeBase32(r *core.Request, args []string) (string, bool) {
	return loc.Of(r.Loc).base32().EncodeToString([]byte(args[0])), true
}

// decodeBase32 takes padding or leaves it; of what is none nothing comes.
func decodeBase32(r *core.Request, args []string) (string, bool) {
	e := base32.NewEncoding(loc.Of(r.Loc).alphabet.V).WithPadding(base32.NoPadding)
	b, err := e.DecodeString(strings.TrimRight(args[0], "="))
	if err != nil {
		return "", true
	}
	return string(b), true
}

func decodeHex(_ *core.Request, args []string) (string, bool) {
	b, err := hex.DecodeString(args[0])
	return string(b), err == nil
}
