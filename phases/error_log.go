package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// logFile gives the file that a directive names.
func (c *compiler) logFile(name string) (*errlog.File, error) {
	switch {
	case strings.HasPrefix(name, "syslog:"):
		return c.opts.Logs.GetSyslog(name)
	case name == errlog.StderrPath, name == "/dev/stderr":
		return c.opts.Logs.Get(errlog.StderrPath), nil
	}
	return c.opts.Logs.Get(c.fullPath(name)), nil
}

// errorLogFile is logFile for error_log, which may go to memory too.
func (c *compiler) errorLogFile(name string) (*errlog.File, error) {
	size, ok := strings.CutPrefix(name, "memory:")
	if !ok {
		return c.logFile(name)
	}
	n, ok := parseSize(size, false)
	if !ok || n < errlog.MaxLine {
		return nil, fmt.Errorf("invalid buffer size \"%s\"", size)
	}
	if n > 1<<40 { // more than any machine has
		return nil, &conf.Error{Msg: fmt.Sprintf("malloc(%d) failed (12: Cannot allocate memory)", n)}
	}
	return errlog.NewMemory(n), nil
}

// setErrorLog reads error_log. Several on one level all get the lines.
func setErrorLog(c *compiler, d *conf.Directive) error {
	target := &c.cycle.Main.errorLog
	if c.level != inMain {
		target = &c.loc.errorLog
	}
	log, _ := target.v.(*errlog.Log)
	if log == nil {
		log = c.opts.Logs.New()
		target.v, target.set = log, true
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
