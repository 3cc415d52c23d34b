package core

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// maxLogLine is what lines of the error log are cut to.
func maxLogLine(stack *compat.Stack) int {
	if stack.Has(compat.LongErrorLines) {
		return errlog.LongLine
	}
	return errlog.MaxLine
}

// LogFile gives the file that a directive names.
func (c *Compiler) LogFile(name string) (*errlog.File, error) {
	switch {
	case strings.HasPrefix(name, "syslog:"):
		return c.Opts.Logs.GetSyslog(name)
	case name == errlog.StderrPath, name == "/dev/stderr":
		return c.Opts.Logs.Get(errlog.StderrPath), nil
	}
	return c.Opts.Logs.Get(c.FullPath(name)), nil
}

// errorLogFile is LogFile for error_log, which may go to memory too.
func (c *Compiler) errorLogFile(name string) (*errlog.File, error) {
	size, ok := strings.CutPrefix(name, "memory:")
	if !ok {
		return c.LogFile(name)
	}
	n, ok := ngxtext.ParseSize(size, false)
	if !ok || n < int64(maxLogLine(c.Cycle.Stack)) {
		return nil, fmt.Errorf("invalid buffer size \"%s\"", size)
	}
	if n > 1<<40 { // more than any machine has
		return nil, &conf.Error{Msg: fmt.Sprintf("malloc(%d) failed (12: Cannot allocate memory)", n)}
	}
	return errlog.NewMemory(n), nil
}

// setErrorLog reads error_log. Several on one level all get the lines.
func setErrorLog(c *Compiler, d *conf.Directive) error {
	target := &c.Cycle.Main.errorLog
	if c.Level != InMain {
		target = &c.Loc.ErrorLog
	}
	log, _ := target.V.(*errlog.Log)
	if log == nil {
		log = c.Opts.Logs.New()
		target.V, target.Set = log, true
	}
	file, err := c.errorLogFile(d.Args[0])
	if err != nil {
		return err
	}
	if len(d.Args) > 2 {
		return fmt.Errorf("duplicate log level \"%s\"", d.Args[2])
	}
	level := errlog.Err
	if len(d.Args) == 2 {
		var ok bool
		if level, ok = errlog.ParseLevel(d.Args[1]); !ok {
			return fmt.Errorf("invalid log level \"%s\"", d.Args[1])
		}
	}
	log.Add(file, level)
	return nil
}
