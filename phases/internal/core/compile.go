package core

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Level is a set of places where a directive may stand.
type Level uint16

const (
	InMain Level = 1 << iota
	InEvents
	InHTTP
	InServer
	InLocation
	InServerIf
	InLocationIf
	InUpstream
	InLimitExcept

	InHTTPSrvLoc = InHTTP | InServer | InLocation
	InAnyLoc     = InHTTPSrvLoc | InLocationIf
	InRewrite    = InServer | InServerIf | InLocation | InLocationIf
)

// Arity is a set of permitted numbers of arguments, or one of the open forms.
type Arity uint32

const (
	Take0 Arity = 1 << iota
	Take1
	Take2
	Take3
	Take4
	Take5
	Take6
	Take7
	TakeFlag  // exactly one, "on" or "off"
	TakeAny   // any number
	TakeMore1 // one or more
	TakeMore2 // two or more
	TakeBlock // ends in a block; combines with the numbers

	Take12   = Take1 | Take2
	Take123  = Take1 | Take2 | Take3
	Take1234 = Take1 | Take2 | Take3 | Take4
)

// accepts reports whether a directive with n arguments has a right number.
func (a Arity) accepts(n int) bool {
	switch {
	case a&TakeAny != 0:
		return true
	case a&TakeFlag != 0:
		return n == 1
	case a&TakeMore1 != 0 && n >= 1, a&TakeMore2 != 0 && n >= 2:
		return true
	}
	return n <= 7 && a&(Take0<<n) != 0
}

// Directive is one row of the directive table: what a name may look like and
// what it does. set returns a DirectiveError for texts that nginx puts behind
// the quoted name.
type Directive struct {
	Name string
	In   Level
	Args Arity
	Set  Setter
}

// Setter does what a directive says.
type Setter func(c *Compiler, d *conf.Directive) error

// DirectiveError is a complaint that is printed as `"name" directive <text>`.
type DirectiveError string

func (e DirectiveError) Error() string { return string(e) }

const (
	ErrDuplicate    = DirectiveError("is duplicate")
	ErrInvalidValue = DirectiveError("invalid value")

	ErrInvalidNumber = DirectiveError("invalid number")
)

// Compiler turns the tree of directives into a Cycle. Its fields say where in
// the tree it is.
type Compiler struct {
	Cycle *Cycle
	Opts  CompileOptions

	modules []*Module
	table   map[string][]*Directive
	place

	http       bool // an http block was seen
	AfterMerge []func() error
	discarded  map[discardedAt]any // fields of directives without effect
}

// place is where in the tree of directives the compiler is.
type place struct {
	Level  Level
	Srv    *Server
	Loc    *Location
	Script *[]ScriptOp // rewrite script of the current server or location
}

// CompileOptions are the surroundings of a configuration.
type CompileOptions struct {
	Prefix   string        // -p, with a trailing slash
	ConfPath string        // the configuration file, absolute
	Log      errlog.Logger // for warnings while compiling
	// Logs are the process's log files; nil for a set of its own.
	Logs *errlog.Files

	Modules []*Module // in the order of nginx's ngx_modules.c

	// Previous is the configuration that this one replaces, whose zones are kept.
	Previous *Cycle

	// Prepare, when not nil, puts into the new Cycle what modules need that no
	// directive says.
	Prepare func(c *Cycle)

	// Outside, when not nil, takes the complaints about what is missing on this machine,
	// for those who build for another one: such a complaint is no error then.
	Outside func(*conf.Error)
}

// Compile gives the directives their meaning. The error of a bad configuration is a
// *conf.Error with nginx's text and place.
func Compile(tree []*conf.Directive, opts CompileOptions) (*Cycle, error) {
	if opts.Logs == nil {
		opts.Logs = errlog.NewFiles()
	}
	c := &Compiler{
		Cycle:   newCycle(opts),
		Opts:    opts,
		modules: opts.Modules,
		table:   DirectiveIndex(opts.Modules),

		discarded: map[discardedAt]any{},
		place:     place{Level: InMain},
	}
	if opts.Prepare != nil {
		opts.Prepare(c.Cycle)
	}
	if err := c.block(tree); err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return c.Cycle, nil
}

// DirectiveIndex makes the directives of the core and of the modules searchable.
// One name can have several rows ("server" in http and in upstream).
func DirectiveIndex(modules []*Module) map[string][]*Directive {
	index := make(map[string][]*Directive, 400)
	add := func(group []Directive) {
		for i := range group {
			index[group[i].Name] = append(index[group[i].Name], &group[i])
		}
	}
	for _, group := range directiveGroups() {
		add(group)
	}
	for _, m := range modules {
		if m.Directives != nil {
			add(m.Directives())
		}
	}
	return index
}

// block compiles the directives of one block at the compiler's level.
func (c *Compiler) block(list []*conf.Directive) error {
	for _, d := range list {
		if d.Err != nil {
			return d.Err
		}
		if err := c.one(d); err != nil {
			return err
		}
	}
	return nil
}

// one finds the row for d, checks its form as nginx does and runs it.
func (c *Compiler) one(d *conf.Directive) error {
	rows := c.table[d.Name]
	if rows == nil {
		return d.Errorf("unknown directive \"%s\"", d.Name)
	}
	var row *Directive
	for _, r := range rows {
		if r.In&c.Level != 0 {
			row = r
			break
		}
	}
	if row == nil {
		return d.Errorf("\"%s\" directive is not allowed here", d.Name)
	}
	isBlock := d.HasBlock
	if row.Args&TakeBlock == 0 && isBlock {
		return d.Errorf("directive \"%s\" is not terminated by \";\"", d.Name)
	}
	if row.Args&TakeBlock != 0 && !isBlock {
		return d.Errorf("directive \"%s\" has no opening \"{\"", d.Name)
	}
	if !row.Args.accepts(len(d.Args)) {
		return d.Errorf("invalid number of arguments in \"%s\" directive", d.Name)
	}
	return c.Located(d, row.Set(c, d))
}

// Located gives an error of a setter nginx's form and the directive's position.
func (c *Compiler) Located(d *conf.Directive, err error) error {
	if err == nil {
		return nil
	}
	var de DirectiveError
	if errors.As(err, &de) {
		return d.Errorf("\"%s\" directive %s", d.Name, string(de))
	}
	var ce *conf.Error
	if errors.As(err, &ce) {
		return ce
	}
	return d.Errorf("%s", err.Error())
}

// Within compiles d's block with the compiler moved to another place.
func (c *Compiler) Within(lv Level, d *conf.Directive, enter func()) error {
	outer := c.place
	defer func() { c.place = outer }()
	c.Level = lv
	if enter != nil {
		enter()
	}
	return c.block(d.Block)
}

// The setters below serve the many directives that only store a value.

// SetFlag stores on or off.
func SetFlag(field func(c *Compiler) *Opt[bool]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		switch {
		case ngxtext.EqualFold(d.Args[0], "on"):
			return f.Put(true)
		case ngxtext.EqualFold(d.Args[0], "off"):
			return f.Put(false)
		}
		return fmt.Errorf("invalid value \"%s\" in \"%s\" directive, it must be \"on\" or \"off\"", d.Args[0], d.Name)
	}
}

// SetEnum stores the place of the argument in names.
func SetEnum(field func(c *Compiler) *Opt[int], names ...string) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		for i, name := range names {
			if ngxtext.EqualFold(d.Args[0], name) {
				return f.Put(i)
			}
		}
		return fmt.Errorf("invalid value \"%s\"", d.Args[0])
	}
}

// putParsed stores a value read by parse.
func putParsed[T, N any](field func(c *Compiler) *Opt[T], parse func(string) (N, bool), as func(N) T) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		v, ok := parse(d.Args[0])
		if !ok {
			return ErrInvalidValue
		}
		return f.Put(as(v))
	}
}

func same[T any](v T) T { return v }

// SetSize stores a number of bytes, giga-sized ones included when off is set.
func SetSize(field func(c *Compiler) *Opt[int64]) Setter {
	return putParsed(field, func(s string) (int64, bool) { return ngxtext.ParseSize(s, false) }, same)
}

// SetOffset stores a size that may be in gigabytes (ngx_conf_set_off_slot).
func SetOffset(field func(c *Compiler) *Opt[int64]) Setter {
	return putParsed(field, func(s string) (int64, bool) { return ngxtext.ParseSize(s, true) }, same)
}

// SetNumber stores a plain count; nginx says "invalid number" for others.
func SetNumber(field func(c *Compiler) *Opt[int]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		n, ok := ngxtext.ParseDecimal(d.Args[0])
		if !ok {
			return ErrInvalidNumber
		}
		return f.Put(int(n))
	}
}

// Between stores a count within bounds (ngx_conf_check_num_bounds).
func Between(low, high int, field func(c *Compiler) *Opt[int]) Setter {
	set := SetNumber(field)
	return func(c *Compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		if n := field(c).V; n < low || n > high {
			return fmt.Errorf("value must be between %d and %d", low, high)
		}
		return nil
	}
}

// Buffers are a directive's number of buffers and the size of each.
type Buffers struct {
	Count int
	Size  int64 // bytes
}

// SetBuffers stores NUMBER SIZE (ngx_conf_set_bufs_slot).
func SetBuffers(field func(c *Compiler) *Opt[Buffers]) Setter {
	return func(c *Compiler, d *conf.Directive) error {
		f := field(c)
		if f.Set {
			return ErrDuplicate
		}
		n, ok := ngxtext.ParseDecimal(d.Args[0])
		size, good := ngxtext.ParseSize(d.Args[1], false)
		if !ok || n == 0 || !good || size == 0 {
			return ErrInvalidValue
		}
		return f.Put(Buffers{int(n), size})
	}
}

// SetText stores the argument as it is.
func SetText(field func(c *Compiler) *Opt[string]) Setter {
	return func(c *Compiler, d *conf.Directive) error { return field(c).Put(d.Args[0]) }
}

// Ignored accepts a directive that has nothing to say to this server: paths of
// temporary files it does not make, tuning of nginx's own event loop.
func Ignored(*Compiler, *conf.Directive) error { return nil }

// Inert accepts a directive that nginx would act on and this server does not:
// the configuration serves, and a warning says what it will not do.
func Inert(c *Compiler, d *conf.Directive) error {
	c.Warnf(d, "the \"%s\" directive has no effect in this server", d.Name)
	return nil
}

// Refused makes a directive an error that says what is missing, where serving
// the configuration without it would be wrong.
func Refused(what string) Setter {
	return func(_ *Compiler, d *conf.Directive) error {
		return fmt.Errorf("\"%s\" directive is not supported: %s", d.Name, what)
	}
}

// Outside hands an error about this machine over to those who build for another one;
// others get it back.
func (c *Compiler) Outside(err error) error {
	var ce *conf.Error
	if c.Opts.Outside == nil || !errors.As(err, &ce) || !ce.Outside {
		return err
	}
	c.Opts.Outside(ce)
	return nil
}

// missing is a complaint about what a directive names and this machine does not have;
// nil for those who build for another one.
func (c *Compiler) missing(d *conf.Directive, format string, args ...any) error {
	e := d.Errorf(format, args...)
	e.Outside = true
	return c.Outside(e)
}

// Warnf logs a warning that has a place in the configuration.
func (c *Compiler) Warnf(d *conf.Directive, format string, args ...any) {
	if c.Opts.Log != nil && c.Opts.Log.Enabled(errlog.Warn) {
		c.Opts.Log.Output(errlog.Warn, 0, d.Errorf(format, args...).Error())
	}
}

// FullPath takes a path of the configuration from the prefix.
func (c *Compiler) FullPath(path string) string { return FullPath(c.Opts.Prefix, path) }

// FullConfPath takes a path from the folder of the configuration file.
func (c *Compiler) FullConfPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return c.Opts.ConfPath[:strings.LastIndexByte(c.Opts.ConfPath, '/')+1] + path
}

// FullPath takes a path from prefix, which ends in a slash, unless it is absolute.
func FullPath(prefix, path string) string {
	if strings.HasPrefix(path, "/") || path == "" {
		return path
	}
	return prefix + path
}
