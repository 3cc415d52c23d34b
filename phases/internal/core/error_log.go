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
	case name == errlog.StderrPath, name == "/dev/stderr", name == "":
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
	level, err := logLevel(d.Args[1:])
	if err != nil {
		return err
	}
	log.Add(file, level)
	return nil
}

// logLevel reads the levels of error_log: none, one, or several that choose parts of
// debug (ngx_log_set_levels).
func logLevel(words []string) (errlog.Level, error) {
	level := errlog.Err
	for i, word := range words {
		l, ok := errlog.ParseLevel(word)
		switch {
		case !ok:
			return 0, fmt.Errorf("invalid log level \"%s\"", word)
		case i > 0 && (l != errlog.Debug || level != errlog.Debug || word == "debug" || words[0] == "debug"):
			return 0, fmt.Errorf("duplicate log level \"%s\"", word)
		}
		level = l
	}
	return level, nil
}
