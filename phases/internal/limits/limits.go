// Package limits has what limit_req and limit_conn share: how they name a zone and how
// they refuse.
package limits

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Refusal says what happens to a request that is above a limit.
type Refusal struct {
	LogLevel core.Opt[errlog.Level]
	Status   core.Opt[int]
	DryRun   core.Opt[bool] // it is counted and logged, and passes
}

// Merge takes over what r does not say.
func (r *Refusal) Merge(outer *Refusal) {
	r.LogLevel.Merge(outer.LogLevel, errlog.Err)
	r.Status.Merge(outer.Status, 503)
	r.DryRun.Merge(outer.DryRun, false)
}

// Directives are NAME_log_level, NAME_status and NAME_dry_run of a module.
func Directives(name string, of func(c *core.Compiler) *Refusal) []core.Directive {
	return []core.Directive{
		{Name: name + "_log_level", In: core.InHTTPSrvLoc, Args: core.Take1,
			Set: func(c *core.Compiler, d *conf.Directive) error { return setLogLevel(&of(c).LogLevel, d.Args[0]) }},
		{Name: name + "_status", In: core.InHTTPSrvLoc, Args: core.Take1,
			Set: core.SetBetween(400, 599, func(c *core.Compiler) *core.Opt[int] { return &of(c).Status })},
		{Name: name + "_dry_run", In: core.InHTTPSrvLoc, Args: core.TakeFlag,
			Set: core.SetFlag(func(c *core.Compiler) *core.Opt[bool] { return &of(c).DryRun })},
	}
}

// levels are those that refusals may be logged at.
var levels = map[string]errlog.Level{"info": errlog.Info, "notice": errlog.Notice, "warn": errlog.Warn, "error": errlog.Err}

func setLogLevel(f *core.Opt[errlog.Level], word string) error {
	if f.Set {
		return core.ErrDuplicate
	}
	level, ok := levels[ngxtext.Lower(word)]
	if !ok {
		return fmt.Errorf("invalid value \"%s\"", word)
	}
	return f.Put(level)
}

// ParseZone reads NAME:SIZE, the value of the parameter arg; size is in bytes.
func ParseZone(arg, value string) (name string, size int64, err error) {
	name, text, _ := strings.Cut(value, ":")
	size, ok := ngxtext.ParseSize(text, false)
	switch {
	case !ok:
		return "", 0, fmt.Errorf("invalid zone size \"%s\"", arg)
	case size < core.MinZone:
		return "", 0, fmt.Errorf("zone \"%s\" is too small", arg)
	}
	return name, size, nil
}
