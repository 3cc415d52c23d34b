package phases

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
)

var logModule = &Module{
	name: "log",
	stop: (*Cycle).flushLogs,
	build: func(b *builder, l *Location) {
		if l.accessLogs.v != nil {
			b.handle(stepLog, (*Request).logAccess)
		}
	},
}

// accessLog is one access_log directive.
type accessLog struct {
	file   *logFile   // nil when the name has variables
	path   template   // of such a name
	buffer *logBuffer // nil: lines are written at once
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
	if c.cycle.logFormats[name] != nil || name == "combined" {
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
	var err error
	f.text, err = c.template(strings.Join(args, ""))
	c.cycle.logFormats[name] = f
	return err
}

// format finds a log_format by name.
func (c *compiler) format(name string) (*logFormat, error) {
	if f := c.cycle.logFormats[name]; f != nil {
		return f, nil
	}
	if name != "combined" {
		return nil, fmt.Errorf("unknown log format \"%s\"", name)
	}
	f := &logFormat{escape: escapeDefault, blank: "-"}
	var err error
	f.text, err = c.template(combinedFormat)
	c.cycle.logFormats[name] = f
	return f, err
}

// setAccessLog reads access_log PATH [FORMAT [buffer= gzip flush= if=]] or off.
func setAccessLog(c *compiler, d *conf.Directive) error {
	logs := &c.loc.accessLogs
	if d.Args[0] == "off" {
		logs.v, logs.set = nil, true
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
	if log.format, err = c.format(name); err != nil {
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
	if err := c.logBuffer(log, d.Args[0], buffer); err != nil {
		return err
	}
	logs.v, logs.set = append(logs.v, log), true
	return nil
}

// defaultAccessLog logs requests to logs/access.log, as nginx does, when no
// access_log of the http level says anything and that folder exists: a bare
// configuration has to run anywhere.
func (c *compiler) defaultAccessLog(root *Location) error {
	path := c.fullPath("logs/access.log")
	if root.accessLogs.set || !isDir(path[:strings.LastIndexByte(path, '/')]) {
		return nil
	}
	format, err := c.format("combined")
	log := &accessLog{file: c.opts.Logs.get(path), format: format}
	root.accessLogs = opt[[]*accessLog]{v: []*accessLog{log}, set: true}
	return err
}

// logAccess writes the request's lines.
func (r *Request) logAccess() int {
	for _, l := range r.Loc.accessLogs.v {
		if l.when != nil {
			if v := l.when.eval(r); v == "" || v == "0" {
				continue
			}
		}
		buf := errorLines.Get().(*[]byte)
		b := l.format.text.appendEscaped((*buf)[:0], r, l.format)
		b = append(b, '\n')
		switch {
		case l.file == nil:
			r.logToPath(l.path.eval(r), b)
		case l.buffer != nil:
			l.buffer.add(b)
		default:
			r.logToFile(l.file, b)
		}
		*buf = b
		errorLines.Put(buf)
	}
	return rcOK
}

// logToFile writes a line to its file or syslog server.
func (r *Request) logToFile(f *logFile, b []byte) {
	peer := f.syslog
	if peer == nil {
		f.write(b)
		return
	}
	if err := peer.send(peer.severity, b[:len(b)-1]); err != nil {
		r.Logf(LogErr, "send() failed (%s) while logging to syslog, server: %s", errText(err), peer.addr)
	}
}

// logToPath writes a line to a file whose name was made from variables. As the
// name may come from the client, the folder of the request's files must exist
// (ngx_http_log_script_write). The file is opened each time, so that it can be
// renamed at any moment.
func (r *Request) logToPath(path string, b []byte) {
	root := r.docRoot()
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		r.Logf(LogErr, "testing \"%s\" existence failed (%s)", root, errText(err))
		return
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		r.Logf(LogCrit, "open() \"%s\" failed (%s)", path, errText(err))
		return
	}
	_, _ = file.Write(b)
	_ = file.Close()
}

// appendEscaped evaluates a log format.
func (t *template) appendEscaped(b []byte, r *Request, f *logFormat) []byte {
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
