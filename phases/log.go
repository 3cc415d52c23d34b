package phases

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// logModule is ngx_http_log_module.
var logModule = &Module{
	name:       "log",
	directives: logDirectives,
	conf:       []confSlot{logMain, logLoc},
	build: func(b *builder, l *Location) {
		if l == b.cycle.http {
			b.fail(defaultLog(b.compiler))
		}
		if logLoc.of(l).list != nil {
			b.handle(stepLog, logRequest)
		}
	},
	ready: logReady,
	stop:  logStop,
}

var (
	logMain = newMainSlot[logConf](nil)
	logLoc  = newLocSlot(mergeLogs)
)

// logConf is what all access_log directives share.
type logConf struct {
	formats map[string]*logFormat
	buffers []*logBuffer
}

// accessLogs are the access_log directives of a level.
type accessLogs struct {
	list []*accessLog
	set  bool // there were some, `off` included
}

func mergeLogs(l, outer *accessLogs, _ bool) {
	if !l.set {
		*l = *outer
	}
}

func logDirectives() []directive {
	return []directive{
		{"access_log", inAnyLoc | inLimitExcept, takeMore1, setAccessLog},
		{"log_format", inHTTP, takeMore2, setLogFormat},
		{"open_log_file_cache", inHTTPSrvLoc, take1234, discardFileCache("open_log_file_cache")},
	}
}

// accessLog is one access_log directive.
type accessLog struct {
	file   *errlog.File // nil when the name has variables
	path   template     // of such a name
	buffer *logBuffer   // nil: lines are written at once
	format *logFormat
	when   *template // if=: log when it is neither "" nor "0"
}

// logFormat is one log_format: a text with variables, and how the values of the
// variables are made safe.
type logFormat struct {
	text   template
	escape func(dst []byte, value string) []byte
	// blank stands for a variable without a value: "-", or nothing in JSON.
	blank string
}

// combinedFormat is the format that exists without a log_format.
const combinedFormat = `$remote_addr - $remote_user [$time_local] "$request" ` +
	`$status $body_bytes_sent "$http_referer" "$http_user_agent"`

// setLogFormat reads log_format NAME [escape=...] TEXT...
func setLogFormat(c *compiler, d *conf.Directive) error {
	name, args := d.Args[0], d.Args[1:]
	if logMain.at(c).formats[name] != nil || name == "combined" {
		return fmt.Errorf("duplicate \"log_format\" name \"%s\"", name)
	}
	f := &logFormat{escape: escapeDefault, blank: "-"}
	if kind, ok := strings.CutPrefix(args[0], "escape="); ok {
		args = args[1:]
		switch kind {
		case "default":
		case "json":
			f.escape, f.blank = escapeJSON, ""
		case "none":
			f.escape, f.blank = escapeNone, ""
		default:
			return fmt.Errorf("unknown log format escaping \"%s\"", kind)
		}
	}
	return addLogFormat(c, name, f, strings.Join(args, ""))
}

// addLogFormat gives a format its text and its name.
func addLogFormat(c *compiler, name string, f *logFormat, text string) (err error) {
	m := logMain.at(c)
	if m.formats == nil {
		m.formats = map[string]*logFormat{}
	}
	m.formats[name] = f
	f.text, err = c.template(text)
	return err
}

// findLogFormat finds a log_format by name.
func findLogFormat(c *compiler, name string) (*logFormat, error) {
	if f := logMain.at(c).formats[name]; f != nil {
		return f, nil
	}
	if name != "combined" {
		return nil, fmt.Errorf("unknown log format \"%s\"", name)
	}
	f := &logFormat{escape: escapeDefault, blank: "-"}
	return f, addLogFormat(c, name, f, combinedFormat)
}

// setAccessLog reads access_log PATH [FORMAT [buffer= gzip flush= if=]] or off.
func setAccessLog(c *compiler, d *conf.Directive) error {
	logs := logLoc.at(c)
	if d.Args[0] == "off" {
		logs.list, logs.set = nil, true
		if len(d.Args) > 1 {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
		}
		return nil
	}
	log := &accessLog{}
	var err error
	if path := d.Args[0]; hasVariables(path) && !strings.HasPrefix(path, "syslog:") {
		log.path, err = c.template(c.fullPath(path))
	} else {
		log.file, err = c.logFile(path)
	}
	if err != nil {
		return err
	}
	name := "combined"
	if len(d.Args) > 1 {
		name = d.Args[1]
	}
	if log.format, err = findLogFormat(c, name); err != nil {
		return err
	}
	var buffer logBufferOptions
	for _, arg := range d.Args[min(2, len(d.Args)):] {
		if when, ok := strings.CutPrefix(arg, "if="); ok {
			t, err := c.template(when)
			if err != nil {
				return err
			}
			log.when = &t
			continue
		}
		if ok, err := buffer.read(arg); err != nil || !ok {
			return cmp.Or(err, fmt.Errorf("invalid parameter \"%s\"", arg))
		}
	}
	if err := giveBuffer(c, log, d.Args[0], buffer); err != nil {
		return err
	}
	logs.list, logs.set = append(logs.list, log), true
	return nil
}

// defaultLog logs requests to logs/access.log, as nginx does, when no
// access_log of the http level says anything and that folder exists: a bare
// configuration has to run anywhere.
func defaultLog(c *compiler) error {
	logs := logLoc.of(c.cycle.http)
	path := c.fullPath("logs/access.log")
	if logs.set || !isDir(path[:strings.LastIndexByte(path, '/')]) {
		return nil
	}
	format, err := findLogFormat(c, "combined")
	log := &accessLog{file: c.opts.Logs.Get(path), format: format}
	logs.list, logs.set = []*accessLog{log}, true
	return err
}

// lineBuffers are lines that are being made.
var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// logRequest writes the request's lines (ngx_http_log_handler).
func logRequest(r *Request) int {
	for _, l := range logLoc.of(r.Loc).list {
		if l.when != nil {
			if v := l.when.eval(r); v == "" || v == "0" {
				continue
			}
		}
		buf := lineBuffers.Get().(*[]byte)
		b := l.format.append((*buf)[:0], r)
		b = append(b, '\n')
		switch {
		case l.file == nil:
			logToPath(r, l.path.eval(r), b)
		case l.buffer != nil:
			l.buffer.add(b)
		default:
			logToFile(r, l.file, b)
		}
		*buf = b
		lineBuffers.Put(buf)
	}
	return rcOK
}

// logToFile writes a line to its file or syslog server.
func logToFile(r *Request, f *errlog.File, b []byte) {
	peer := f.Syslog()
	if peer == nil {
		f.Write(b)
		return
	}
	if err := peer.Send(b[:len(b)-1]); err != nil {
		r.Logf(errlog.Err, "send() failed (%s) while logging to syslog, server: %s", conf.Errno(err), peer.Addr)
	}
}

// logToPath writes a line to a file whose name was made from variables. As the
// name may come from the client, the folder of the request's files must exist
// (ngx_http_log_script_write). The file is opened each time, so that it can be
// renamed at any moment.
func logToPath(r *Request, path string, b []byte) {
	root := r.docRoot()
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		r.Logf(errlog.Err, "testing \"%s\" existence failed (%s)", root, conf.Errno(err))
		return
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		r.Logf(errlog.Crit, "open() \"%s\" failed (%s)", path, conf.Errno(err))
		return
	}
	_, _ = file.Write(b)
	_ = file.Close()
}

// append writes the line of a request.
func (f *logFormat) append(b []byte, r *Request) []byte {
	t := &f.text
	if t.parts == nil {
		return append(b, t.lit...)
	}
	for i := range t.parts {
		p := &t.parts[i]
		switch p.kind {
		case partLiteral:
			b = append(b, p.lit...)
		case partVar:
			if v, ok := r.indexed(p.index); ok {
				b = f.escape(b, v)
			} else {
				b = append(b, f.blank...)
			}
		default:
			b = f.escape(b, p.eval(r))
		}
	}
	return b
}

// escapeDefault writes bytes that could break a line as \xXX.
func escapeDefault(b []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func escapeNone(b []byte, v string) []byte { return append(b, v...) }
