package core

import (
	"errors"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
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
	incomplete bool // Complain took something
	poolsUsed  []poolUse
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

	// Map says where the files are that the configuration names by another machine's paths.
	Map conf.PathMap

	// Complain, when not nil, takes the complaint about each directive that is wrong, for those
	// who want all of them: the directive is left out, and what hangs on the whole
	// configuration is not looked at.
	Complain func(d *conf.Directive, in Level, err error)
}

// ErrIncomplete is the error of a configuration with complaints that Complain took.
var ErrIncomplete = errors.New("the configuration is not whole")

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
	if err := c.chooseStack(tree); err != nil {
		return nil, err
	}
	c.Cycle.Vars.forget(c.Cycle.Stack)
	opts.Logs.SetMaxLine(maxLogLine(c.Cycle.Stack))
	if opts.Prepare != nil {
		opts.Prepare(c.Cycle)
	}
	if err := c.block(tree); err != nil {
		return nil, err
	}
	if c.incomplete {
		return nil, ErrIncomplete
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	for at := range c.discarded {
		c.Cycle.WithoutEffect = append(c.Cycle.WithoutEffect, at.name)
	}
	return c.Cycle, nil
}

// block compiles the directives of one block at the compiler's level.
func (c *Compiler) block(list []*conf.Directive) error {
	for _, d := range list {
		err := c.one(d)
		if err == nil {
			continue
		}
		if c.Opts.Complain == nil {
			return err
		}
		c.incomplete = true
		c.Opts.Complain(d, c.Level, err)
	}
	return nil
}

// one finds the row for d, checks its form as nginx does and runs it.
func (c *Compiler) one(d *conf.Directive) error {
	if d.Err != nil {
		return d.Err
	}
	rows := c.table[d.Name]
	if rows == nil || !c.Cycle.Stack.Knows(d.Name) {
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

// Missing is a complaint about what a directive names and this machine does not have;
// nil for those who build for another one.
func (c *Compiler) Missing(d *conf.Directive, format string, args ...any) error {
	e := d.Errorf(format, args...)
	e.Outside = true
	return c.Outside(e)
}

// Warnf logs a warning that has a place in the configuration.
func (c *Compiler) Warnf(d *conf.Directive, format string, args ...any) {
	c.Logf(errlog.Warn, d, format, args...)
}

// Logf is Warnf for another level, whatever that says: the configuration stands.
func (c *Compiler) Logf(level errlog.Level, d *conf.Directive, format string, args ...any) {
	if c.Opts.Log != nil && c.Opts.Log.Enabled(level) {
		c.Opts.Log.Output(level, 0, d.Errorf(format, args...).Error())
	}
}

// FullPath takes a path of the configuration from the prefix.
func (c *Compiler) FullPath(path string) string { return FullPath(c.Opts.Prefix, path) }

// FullConfPath takes the path of a file that is read with the configuration from the folder of
// that, to where it is on this machine.
func (c *Compiler) FullConfPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return c.Opts.Map.Local(path)
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
