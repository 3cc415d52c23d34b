package phases

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// level is a set of places where a directive may stand.
type level uint16

const (
	inMain level = 1 << iota
	inEvents
	inHTTP
	inServer
	inLocation
	inServerIf
	inLocationIf
	inUpstream
	inLimitExcept

	inHTTPSrvLoc = inHTTP | inServer | inLocation
	inAnyLoc     = inHTTPSrvLoc | inLocationIf
	inRewrite    = inServer | inServerIf | inLocation | inLocationIf
)

// arity is a set of permitted numbers of arguments, or one of the open forms.
type arity uint32

const (
	take0 arity = 1 << iota
	take1
	take2
	take3
	take4
	take5
	take6
	take7
	takeFlag  // exactly one, "on" or "off"
	takeAny   // any number
	takeMore1 // one or more
	takeMore2 // two or more
	takeBlock // ends in a block; combines with the numbers

	take12   = take1 | take2
	take123  = take1 | take2 | take3
	take1234 = take1 | take2 | take3 | take4
)

// accepts reports whether a directive with n arguments has a right number.
func (a arity) accepts(n int) bool {
	switch {
	case a&takeAny != 0:
		return true
	case a&takeFlag != 0:
		return n == 1
	case a&takeMore1 != 0 && n >= 1, a&takeMore2 != 0 && n >= 2:
		return true
	}
	return n <= 7 && a&(take0<<n) != 0
}

// directive is one row of the directive table: what a name may look like and
// what it does. set returns a directiveError for texts that nginx puts behind
// the quoted name.
type directive struct {
	name string
	in   level
	args arity
	set  setter
}

// setter does what a directive says.
type setter func(c *compiler, d *conf.Directive) error

// directiveError is a complaint that is printed as `"name" directive <text>`.
type directiveError string

func (e directiveError) Error() string { return string(e) }

const (
	errDuplicate    = directiveError("is duplicate")
	errInvalidValue = directiveError("invalid value")

	errInvalidNumber = directiveError("invalid number")
)

// compiler turns the tree of directives into a Cycle. Its fields say where in
// the tree it is.
type compiler struct {
	cycle *Cycle
	opts  CompileOptions

	modules []*Module
	table   map[string][]*directive
	place

	http       bool // an http block was seen
	afterMerge []func() error
	discarded  map[discardedAt]any // fields of directives without effect
}

// place is where in the tree of directives the compiler is.
type place struct {
	level  level
	srv    *Server
	loc    *Location
	script *[]scriptOp // rewrite script of the current server or location
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

// compile gives the directives their meaning. The error of a bad configuration is a
// *conf.Error with nginx's text and place.
func compile(tree []*conf.Directive, opts CompileOptions) (*Cycle, error) {
	if opts.Logs == nil {
		opts.Logs = errlog.NewFiles()
	}
	c := &compiler{
		cycle:   newCycle(opts),
		opts:    opts,
		modules: opts.Modules,
		table:   directiveIndex(opts.Modules),

		discarded: map[discardedAt]any{},
		place:     place{level: inMain},
	}
	if opts.Prepare != nil {
		opts.Prepare(c.cycle)
	}
	if err := c.block(tree); err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return c.cycle, nil
}

// directiveIndex makes the directives of the core and of the modules searchable.
// One name can have several rows ("server" in http and in upstream).
func directiveIndex(modules []*Module) map[string][]*directive {
	index := make(map[string][]*directive, 400)
	add := func(group []directive) {
		for i := range group {
			index[group[i].name] = append(index[group[i].name], &group[i])
		}
	}
	for _, group := range directiveGroups() {
		add(group)
	}
	for _, m := range modules {
		if m.directives != nil {
			add(m.directives())
		}
	}
	return index
}

// block compiles the directives of one block at the compiler's level.
func (c *compiler) block(list []*conf.Directive) error {
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
func (c *compiler) one(d *conf.Directive) error {
	rows := c.table[d.Name]
	if rows == nil {
		return d.Errorf("unknown directive \"%s\"", d.Name)
	}
	var row *directive
	for _, r := range rows {
		if r.in&c.level != 0 {
			row = r
			break
		}
	}
	if row == nil {
		return d.Errorf("\"%s\" directive is not allowed here", d.Name)
	}
	isBlock := d.HasBlock
	if row.args&takeBlock == 0 && isBlock {
		return d.Errorf("directive \"%s\" is not terminated by \";\"", d.Name)
	}
	if row.args&takeBlock != 0 && !isBlock {
		return d.Errorf("directive \"%s\" has no opening \"{\"", d.Name)
	}
	if !row.args.accepts(len(d.Args)) {
		return d.Errorf("invalid number of arguments in \"%s\" directive", d.Name)
	}
	return c.located(d, row.set(c, d))
}

// located gives an error of a setter nginx's form and the directive's position.
func (c *compiler) located(d *conf.Directive, err error) error {
	if err == nil {
		return nil
	}
	var de directiveError
	if errors.As(err, &de) {
		return d.Errorf("\"%s\" directive %s", d.Name, string(de))
	}
	var ce *conf.Error
	if errors.As(err, &ce) {
		return ce
	}
	return d.Errorf("%s", err.Error())
}

// within compiles d's block with the compiler moved to another place.
func (c *compiler) within(lv level, d *conf.Directive, enter func()) error {
	outer := c.place
	defer func() { c.place = outer }()
	c.level = lv
	if enter != nil {
		enter()
	}
	return c.block(d.Block)
}

// The setters below serve the many directives that only store a value.

// onOff stores on or off.
func onOff(field func(c *compiler) *opt[bool]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		switch {
		case equalFold(d.Args[0], "on"):
			return f.put(true)
		case equalFold(d.Args[0], "off"):
			return f.put(false)
		}
		return fmt.Errorf("invalid value \"%s\" in \"%s\" directive, it must be \"on\" or \"off\"", d.Args[0], d.Name)
	}
}

// enum stores the place of the argument in names.
func enum(field func(c *compiler) *opt[int], names ...string) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		for i, name := range names {
			if equalFold(d.Args[0], name) {
				return f.put(i)
			}
		}
		return fmt.Errorf("invalid value \"%s\"", d.Args[0])
	}
}

// putParsed stores a value read by parse.
func putParsed[T, N any](field func(c *compiler) *opt[T], parse func(string) (N, bool), as func(N) T) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		v, ok := parse(d.Args[0])
		if !ok {
			return errInvalidValue
		}
		return f.put(as(v))
	}
}

func same[T any](v T) T { return v }

// size stores a number of bytes, giga-sized ones included when off is set.
func size(field func(c *compiler) *opt[int64]) setter {
	return putParsed(field, func(s string) (int64, bool) { return parseSize(s, false) }, same)
}

func offset(field func(c *compiler) *opt[int64]) setter {
	return putParsed(field, func(s string) (int64, bool) { return parseSize(s, true) }, same)
}

// number stores a plain count; nginx says "invalid number" for others.
func number(field func(c *compiler) *opt[int]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		n, ok := parseDecimal(d.Args[0])
		if !ok {
			return errInvalidNumber
		}
		return f.put(int(n))
	}
}

// between stores a count within bounds (ngx_conf_check_num_bounds).
func between(low, high int, field func(c *compiler) *opt[int]) setter {
	set := number(field)
	return func(c *compiler, d *conf.Directive) error {
		if err := set(c, d); err != nil {
			return err
		}
		if n := field(c).v; n < low || n > high {
			return fmt.Errorf("value must be between %d and %d", low, high)
		}
		return nil
	}
}

// buffers are a directive's number of buffers and the size of each.
type buffers struct {
	count int
	size  int64 // bytes
}

// putBuffers stores NUMBER SIZE (ngx_conf_set_bufs_slot).
func putBuffers(field func(c *compiler) *opt[buffers]) setter {
	return func(c *compiler, d *conf.Directive) error {
		f := field(c)
		if f.set {
			return errDuplicate
		}
		n, ok := parseDecimal(d.Args[0])
		size, good := parseSize(d.Args[1], false)
		if !ok || n == 0 || !good || size == 0 {
			return errInvalidValue
		}
		return f.put(buffers{int(n), size})
	}
}

// text stores the argument as it is.
func text(field func(c *compiler) *opt[string]) setter {
	return func(c *compiler, d *conf.Directive) error { return field(c).put(d.Args[0]) }
}

// ignored accepts a directive that has nothing to say to this server: paths of
// temporary files it does not make, tuning of nginx's own event loop.
func ignored(*compiler, *conf.Directive) error { return nil }

// inert accepts a directive that nginx would act on and this server does not:
// the configuration serves, and a warning says what it will not do.
func inert(c *compiler, d *conf.Directive) error {
	c.warnf(d, "the \"%s\" directive has no effect in this server", d.Name)
	return nil
}

// refused makes a directive an error that says what is missing, where serving
// the configuration without it would be wrong.
func refused(what string) setter {
	return func(_ *compiler, d *conf.Directive) error {
		return fmt.Errorf("\"%s\" directive is not supported: %s", d.Name, what)
	}
}

// outside hands an error about this machine over to those who build for another one;
// others get it back.
func (c *compiler) outside(err error) error {
	var ce *conf.Error
	if c.opts.Outside == nil || !errors.As(err, &ce) || !ce.Outside {
		return err
	}
	c.opts.Outside(ce)
	return nil
}

// missing is a complaint about what a directive names and this machine does not have;
// nil for those who build for another one.
func (c *compiler) missing(d *conf.Directive, format string, args ...any) error {
	e := d.Errorf(format, args...)
	e.Outside = true
	return c.outside(e)
}

// warnf logs a warning that has a place in the configuration.
func (c *compiler) warnf(d *conf.Directive, format string, args ...any) {
	if c.opts.Log != nil && c.opts.Log.Enabled(errlog.Warn) {
		c.opts.Log.Output(errlog.Warn, 0, d.Errorf(format, args...).Error())
	}
}

// fullPath takes a path of the configuration from the prefix.
func (c *compiler) fullPath(path string) string { return fullPath(c.opts.Prefix, path) }

// fullConfPath takes a path from the folder of the configuration file.
func (c *compiler) fullConfPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return c.opts.ConfPath[:strings.LastIndexByte(c.opts.ConfPath, '/')+1] + path
}

func fullPath(prefix, path string) string {
	if strings.HasPrefix(path, "/") || path == "" {
		return path
	}
	return prefix + path
}
