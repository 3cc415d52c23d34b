// Package log is ngx_http_log_module: access_log and log_format.
package log

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_log_module.
var Module = &core.Module{
	Name:       "log",
	Directives: directives,
	Conf:       []core.ConfSlot{main, loc},
	Build: func(b *core.Builder, l *core.Location) {
		if l == b.Cycle.HTTP {
			b.Fail(addDefault(b.Compiler))
		}
		if loc.Of(l).list != nil {
			b.Handle(core.LogPhase, handle)
		}
	},
	Ready: ready,
	Stop:  stop,
}

var (
	main = core.NewMainSlot[config](nil)
	loc  = core.NewLocSlot(merge)
)

// config is what all access_log directives share.
type config struct {
	formats map[string]*format
	buffers []*buffer
}

// logs are the access_log directives of a level.
type logs struct {
	list []*accessLog
	set  bool // there were some, `off` included

	escapeHigh core.Opt[bool] // log_escape_non_ascii, OpenResty's
}

func merge(l, outer *logs, _ bool) {
	if !l.set {
		l.list, l.set = outer.list, outer.set
	}
	l.escapeHigh.Merge(outer.escapeHigh, true)
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "access_log", In: core.InAnyLoc | core.InLimitExcept, Args: core.TakeMore1, Set: setLog},
		{Name: "log_format", In: core.InHTTP, Args: core.TakeMore2, Set: setFormat},
		{Name: "log_escape_non_ascii", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(l *logs) *core.Opt[bool] { return &l.escapeHigh }))},
		{Name: "open_log_file_cache", In: core.InHTTPSrvLoc, Args: core.Take1234, Set: core.DiscardFileCache("open_log_file_cache")},
	}
}

// accessLog is one access_log directive.
type accessLog struct {
	file   *errlog.File  // nil when the name has variables
	path   core.Template // of such a name
	buffer *buffer       // nil: lines are written at once
	format *format
	when   *core.Template // if=: log when it is neither "" nor "0"
}

// format is one log_format: a text with variables, and how the values of the
// variables are made safe.
type format struct {
	text   core.Template
	escape func(dst []byte, value string, high bool) []byte // high: bytes that are not ASCII too
	// blank stands for a variable without a value: "-", or nothing in JSON.
	blank string
}

// combinedFormat is the format that exists without a log_format.
const combinedFormat = `$remote_addr - $remote_user [$time_local] "$request" ` +
	`$status $body_bytes_sent "$http_referer" "$http_user_agent"`

// setFormat reads log_format NAME [escape=...] TEXT...
func setFormat(c *core.Compiler, d *conf.Directive) error {
	name, args := d.Args[0], d.Args[1:]
	if main.At(c).formats[name] != nil || name == "combined" {
		return fmt.Errorf("duplicate \"log_format\" name \"%s\"", name)
	}
	f := &format{escape: escapeDefault, blank: "-"}
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
	return addFormat(c, name, f, strings.Join(args, ""))
}

// addFormat gives a format its text and its name.
func addFormat(c *core.Compiler, name string, f *format, text string) (err error) {
	m := main.At(c)
	if m.formats == nil {
		m.formats = map[string]*format{}
	}
	m.formats[name] = f
	f.text, err = c.Template(text)
	return err
}

// findFormat finds a log_format by name.
func findFormat(c *core.Compiler, name string) (*format, error) {
	if f := main.At(c).formats[name]; f != nil {
		return f, nil
	}
	if name != "combined" {
		return nil, fmt.Errorf("unknown log format \"%s\"", name)
	}
	f := &format{escape: escapeDefault, blank: "-"}
	return f, addFormat(c, name, f, combinedFormat)
}

// setLog reads access_log PATH [FORMAT [buffer= gzip flush= if=]] or off.
func setLog(c *core.Compiler, d *conf.Directive) error {
	logs := loc.At(c)
	if d.Args[0] == "off" {
		logs.list, logs.set = nil, true
		if len(d.Args) > 1 {
			return fmt.Errorf("invalid parameter \"%s\"", d.Args[1])
		}
		return nil
	}
	log := &accessLog{}
	var err error
	if path := d.Args[0]; core.HasVariables(path) && !strings.HasPrefix(path, "syslog:") {
		log.path, err = c.Template(c.FullPath(path))
	} else {
		log.file, err = c.LogFile(path)
	}
	if err != nil {
		return err
	}
	name := "combined"
	if len(d.Args) > 1 {
		name = d.Args[1]
	}
	if log.format, err = findFormat(c, name); err != nil {
		return err
	}
	var buffer bufferOptions
	for _, arg := range d.Args[min(2, len(d.Args)):] {
		if when, ok := strings.CutPrefix(arg, "if="); ok {
			t, err := c.Template(when)
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

// addDefault logs requests to logs/access.log, as nginx does, when no
// access_log of the http level says anything and that folder exists: a bare
// configuration has to run anywhere.
func addDefault(c *core.Compiler) error {
	logs := loc.Of(c.Cycle.HTTP)
	path := c.FullPath("logs/access.log")
	if logs.set || !core.IsDir(path[:strings.LastIndexByte(path, '/')]) {
		return nil
	}
	format, err := findFormat(c, "combined")
	log := &accessLog{file: c.Opts.Logs.Get(path), format: format}
	logs.list, logs.set = []*accessLog{log}, true
	return err
}

// lineBuffers are lines that are being made.
var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// handle writes the request's lines (ngx_http_log_handler).
func handle(r *core.Request) int {
	for _, l := range loc.Of(r.Loc).list {
		if l.when != nil {
			if v := l.when.Eval(r); v == "" || v == "0" {
				continue
			}
		}
		buf := lineBuffers.Get().(*[]byte)
		b := l.format.append((*buf)[:0], r)
		b = append(b, '\n')
		switch {
		case l.file == nil:
			toPath(r, l.path.Eval(r), b)
		case l.buffer != nil:
			l.buffer.add(b)
		default:
			toFile(r, l.file, b)
		}
		*buf = b
		lineBuffers.Put(buf)
	}
	return core.OK
}

// toFile writes a line to its file or syslog server.
func toFile(r *core.Request, f *errlog.File, b []byte) {
	peer := f.Syslog()
	if peer == nil {
		f.Write(b)
		return
	}
	if err := peer.Send(b[:len(b)-1]); err != nil {
		r.Logf(errlog.Err, "send() failed (%s) while logging to syslog, server: %s", conf.Errno(err), peer.Addr)
	}
}

// toPath writes a line to a file whose name was made from variables. As the
// name may come from the client, the folder of the request's files must exist
// (ngx_http_log_script_write). The file is opened each time, so that it can be
// renamed at any moment.
func toPath(r *core.Request, path string, b []byte) {
	root := r.DocRoot()
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
func (f *format) append(b []byte, r *core.Request) []byte {
	high := loc.Of(r.Loc).escapeHigh.V
	t := &f.text
	if t.Parts == nil {
		return append(b, t.Lit...)
	}
	for i := range t.Parts {
		p := &t.Parts[i]
		switch p.Kind {
		case core.PartLiteral:
			b = append(b, p.Lit...)
		case core.PartVar:
			if v, ok := r.Indexed(p.Index); ok {
				b = f.escape(b, v, high)
			} else {
				b = append(b, f.blank...)
			}
		default:
			b = f.escape(b, p.Eval(r), high)
		}
	}
	return b
}

// escapeDefault writes bytes that could break a line as \xXX.
func escapeDefault(b []byte, v string, high bool) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c == 0x7f || c > 0x7f && high || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', ngxtext.UpperHex[c>>4], ngxtext.UpperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func escapeJSON(b []byte, v string, _ bool) []byte { return core.EscapeJSON(b, v) }

func escapeNone(b []byte, v string, _ bool) []byte { return append(b, v...) }
