package phases

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// levelNames are the words of error_log and of the lines it makes. Lines of level
// stderr have none.
var levelNames = [...]string{"", "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}

// parseLogLevel reads a level of error_log. The debug_* levels of nginx choose
// parts of it that do not exist here, so they mean debug.
func parseLogLevel(s string) (LogLevel, bool) {
	for l := LogEmerg; l <= LogDebug; l++ {
		if levelNames[l] == s {
			return l, true
		}
	}
	switch s {
	case "debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream":
		return LogDebug, true
	}
	return 0, false
}

// LogFiles are the log files of a process, shared by the configurations that it
// goes through. A file is opened once, however many directives name it.
type LogFiles struct {
	mu     sync.Mutex
	byPath map[string]*logFile
	// console is set while the process starts: warnings and worse are then also
	// written to the standard error, where whoever started it sees them.
	console atomic.Bool
	// fallback takes what cannot be said in a log that only goes to syslog.
	fallback atomic.Pointer[ErrorLog]
}

// NewLogFiles returns an empty set that also writes to the console until
// LeaveConsole is called.
func NewLogFiles() *LogFiles {
	f := &LogFiles{byPath: map[string]*logFile{}}
	f.console.Store(true)
	return f
}

// LeaveConsole ends the start of the process.
func (s *LogFiles) LeaveConsole() { s.console.Store(false) }

// logFile is one file that lines are appended to, each by one write.
type logFile struct {
	path   string
	file   atomic.Pointer[os.File]
	syslog *syslogPeer // in place of a file
	memory *memoryRing // in place of a file

	mu      sync.Mutex
	flushes []*func() // write what is held back of the file
}

// onFlush has flush called before the file is opened anew and at the end of the
// process, until forget is called: it writes what is held back (ngx_open_file_t's
// flush).
func (f *logFile) onFlush(flush func()) (forget func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes = append(f.flushes, &flush)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flushes = slices.DeleteFunc(f.flushes, func(g *func()) bool { return g == &flush })
	}
}

// flush writes what others hold back of the file.
func (f *logFile) flush() {
	f.mu.Lock()
	list := slices.Clone(f.flushes)
	f.mu.Unlock()
	for _, flush := range list {
		(*flush)()
	}
}

// memoryRing is a log in memory, for a debugger to read: the last bytes of it
// (error_log memory:SIZE).
type memoryRing struct {
	mu  sync.Mutex
	buf []byte
	at  int
}

func (m *memoryRing) write(line []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(line) > 0 {
		n := copy(m.buf[m.at:], line)
		m.at, line = (m.at+n)%len(m.buf), line[n:]
	}
}

// memoryLog makes a log in memory.
func memoryLog(size string) (*logFile, error) {
	n, ok := parseSize(size, false)
	if !ok || n < int64(maxErrorLine) {
		return nil, fmt.Errorf("invalid buffer size \"%s\"", size)
	}
	if n > 1<<40 { // more than any machine has
		return nil, &conf.Error{Msg: fmt.Sprintf("malloc(%d) failed (12: Cannot allocate memory)", n)}
	}
	return &logFile{memory: &memoryRing{buf: make([]byte, n)}}, nil
}

// stderrPath is how configurations name the standard error.
const stderrPath = "stderr"

// file gives the entry for path; it is opened by Open.
func (s *LogFiles) get(path string) *logFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byPath[path]
	if f == nil {
		f = &logFile{path: path}
		if path == stderrPath {
			f.file.Store(os.Stderr)
		}
		s.byPath[path] = f
	}
	return f
}

// getSyslog gives the entry for a syslog server, named as in the configuration.
func (s *LogFiles) getSyslog(name string) (*logFile, error) {
	peer, err := parseSyslog(strings.TrimPrefix(name, "syslog:"))
	if err != nil {
		return nil, err
	}
	f := s.get(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.syslog == nil {
		f.syslog = peer
	}
	return f, nil
}

// Open opens the files that are not open yet.
func (s *LogFiles) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byPath {
		if f.file.Load() == nil && f.syslog == nil {
			if err := f.open(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush writes what is held back of the files.
func (s *LogFiles) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byPath {
		f.flush()
	}
}

// Reopen opens all files anew, as after they were renamed (signal USR1). Files
// that cannot be opened stay as they are and are reported.
func (s *LogFiles) Reopen() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.byPath {
		if f.path == stderrPath || f.syslog != nil {
			continue
		}
		f.flush()
		old := f.file.Load()
		if err := f.open(); err != nil {
			errs = append(errs, err)
		} else if old != nil {
			_ = old.Close()
		}
	}
	return errs
}

func (f *logFile) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return &conf.Error{Msg: fmt.Sprintf(`open() "%s" failed (%s)`, f.path, conf.Errno(err))}
	}
	f.file.Store(file)
	return nil
}

// write appends one line. A line that cannot be written is lost: there is no
// better place for it.
func (f *logFile) write(line []byte) {
	if f.memory != nil {
		f.memory.write(line)
		return
	}
	if file := f.file.Load(); file != nil {
		_, _ = file.Write(line)
	}
}

// ErrorLog is what the error_log directives of one level say: files, each with
// the least severe level it takes.
type ErrorLog struct {
	files *LogFiles
	sinks []errorSink
	most  LogLevel // the least severe level of all sinks
}

type errorSink struct {
	file  *logFile
	level LogLevel
}

// NewErrorLog returns a log with one file.
func (s *LogFiles) NewErrorLog(path string, level LogLevel) *ErrorLog {
	l := &ErrorLog{files: s}
	l.add(s.get(path), level)
	return l
}

func (l *ErrorLog) add(file *logFile, level LogLevel) {
	l.sinks = append(l.sinks, errorSink{file, level})
	l.most = max(l.most, level)
}

// Enabled tells whether a line of the level goes anywhere.
func (l *ErrorLog) Enabled(level LogLevel) bool { return level <= l.most }

// maxErrorLine is the length error-log lines are cut to, with the line feed
// (NGX_MAX_ERROR_STR). Readers of the log rely on it, and it bounds what a client
// can make the server write.
const maxErrorLine = 2048

var errorLines = sync.Pool{New: func() any { b := make([]byte, 0, maxErrorLine); return &b }}

// Output writes a line in nginx's format:
//
//	2026/11/21 10:49:00 [error] 14037#14037: *2 message
//
// The second number is a thread in nginx; here all of them share one process.
func (l *ErrorLog) Output(level LogLevel, conn int64, msg string) {
	buf := errorLines.Get().(*[]byte)
	b := append((*buf)[:0], logTimes().errorLog...)
	b = append(b, " ["...)
	b = append(b, levelNames[level]...)
	b = append(b, "] "...)
	b = append(b, processTag...)
	if conn != 0 {
		b = append(b, '*')
		b = strconv.AppendInt(b, conn, 10)
		b = append(b, ' ')
	}
	b = append(b, msg...)
	if len(b) > maxErrorLine-1 {
		b = b[:maxErrorLine-1]
	}
	b = append(b, '\n')
	console := level <= LogWarn && l.files.console.Load()
	for _, s := range l.sinks {
		if level > s.level || console && s.file.path == stderrPath {
			continue
		}
		if peer := s.file.syslog; peer != nil {
			if err := peer.send(max(int(level)-1, 0), b[:len(b)-1]); err != nil {
				l.syslogFailed(peer, err)
			}
			continue
		}
		s.file.write(b)
	}
	if console {
		fmt.Fprintf(os.Stderr, "nginx: [%s] %s\n", levelNames[level], msg)
	}
	*buf = b
	errorLines.Put(buf)
}

// syslogFailed reports a syslog server that cannot be reached to the other files.
func (l *ErrorLog) syslogFailed(peer *syslogPeer, err error) {
	others := ErrorLog{files: l.files}
	for _, s := range l.sinks {
		if s.file.syslog == nil {
			others.add(s.file, s.level)
		}
	}
	target := &others
	if main := l.files.fallback.Load(); len(others.sinks) == 0 && main != nil && main != l {
		target = main
	}
	target.Output(LogErr, 0, "send() failed ("+errText(err)+") while logging to syslog, server: "+peer.addr)
}

// processTag is the "pid#tid: " of log lines.
var processTag = strconv.Itoa(os.Getpid()) + "#" + strconv.Itoa(os.Getpid()) + ": "

// logClock is a second in the formats of the logs.
type logClock struct {
	unix            int64
	errorLog, local string
	iso8601         string
}

var logClockCache atomic.Pointer[logClock]

// logTimes gives the current second; its texts are made once a second.
func logTimes() *logClock {
	now := time.Now()
	if c := logClockCache.Load(); c != nil && c.unix == now.Unix() {
		return c
	}
	c := &logClock{
		unix:     now.Unix(),
		errorLog: now.Format("2006/01/02 15:04:05"),
		local:    now.Format("02/Jan/2006:15:04:05 -0700"),
		iso8601:  now.Format("2006-01-02T15:04:05-07:00"),
	}
	logClockCache.Store(c)
	return c
}

// logFile gives the file that a directive names.
func (c *compiler) logFile(name string) (*logFile, error) {
	switch {
	case strings.HasPrefix(name, "syslog:"):
		return c.opts.Logs.getSyslog(name)
	case name == stderrPath, name == "/dev/stderr":
		return c.opts.Logs.get(stderrPath), nil
	}
	return c.opts.Logs.get(c.fullPath(name)), nil
}

// setErrorLog reads error_log. Several on one level all get the lines.
func setErrorLog(c *compiler, d *conf.Directive) error {
	target := &c.cycle.Main.errorLog
	if c.level != inMain {
		target = &c.loc.errorLog
	}
	log, _ := target.v.(*ErrorLog)
	if log == nil {
		log = &ErrorLog{files: c.opts.Logs}
		target.v, target.set = log, true
	}
	file, err := c.logFile(d.Args[0])
	if size, ok := strings.CutPrefix(d.Args[0], "memory:"); ok {
		file, err = memoryLog(size)
	}
	if err != nil {
		return err
	}
	if len(d.Args) > 2 {
		return fmt.Errorf("duplicate log level \"%s\"", d.Args[2])
	}
	level := LogErr
	if len(d.Args) == 2 {
		var ok bool
		if level, ok = parseLogLevel(d.Args[1]); !ok {
			return fmt.Errorf("invalid log level \"%s\"", d.Args[1])
		}
	}
	log.add(file, level)
	return nil
}
