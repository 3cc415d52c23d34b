// Package errlog writes error logs: files, standard error, syslog and memory, in
// nginx's format (ngx_log.c, ngx_syslog.c). It knows the files that access logs go to
// as well, as both are opened, and opened anew, together.
package errlog

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
)

// Log is what the error_log directives of one level say: files, each with
// the least severe level it takes.
type Log struct {
	files *Files
	sinks []sink
	most  Level // the least severe level of all sinks
}

type sink struct {
	file  *File
	level Level
}

// New returns a log without files.
func (s *Files) New() *Log { return &Log{files: s} }

// NewFile returns a log with one file.
func (s *Files) NewFile(path string, level Level) *Log {
	l := s.New()
	l.Add(s.Get(path), level)
	return l
}

// Add makes the log write lines of the level, and of those that are more severe, to
// file.
func (l *Log) Add(file *File, level Level) {
	l.sinks = append(l.sinks, sink{file, level})
	l.most = max(l.most, level)
}

// Enabled tells whether a line of the level goes anywhere.
func (l *Log) Enabled(level Level) bool { return level <= l.most }

// MaxLine is the length error-log lines are cut to, with the line feed
// (NGX_MAX_ERROR_STR). Readers of the log rely on it, and it bounds what a client
// can make the server write.
const MaxLine = 2048

// LongLine is what they are cut to with OpenResty's patch.
const LongLine = 4096

var lines = sync.Pool{New: func() any { b := make([]byte, 0, MaxLine); return &b }}

// Output writes a line in nginx's format:
//
//	2026/11/21 10:49:00 [error] 14037#14037: *2 message
//
// The second number is a thread in nginx; here all of them share one process.
func (l *Log) Output(level Level, conn int64, msg string) { l.output(level, conn, msg, false) }

// OutputAll is Output into all files, whatever level they take (debug_connection).
func (l *Log) OutputAll(level Level, conn int64, msg string) { l.output(level, conn, msg, true) }

func (l *Log) output(level Level, conn int64, msg string, all bool) {
	buf := lines.Get().(*[]byte)
	b := append((*buf)[:0], timeText()...)
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
	if most := int(l.files.maxLine.Load()) - 1; len(b) > most {
		b = b[:most]
	}
	b = append(b, '\n')
	console := level <= Warn && l.files.console.Load()
	for _, s := range l.sinks {
		if level > s.level && !all || console && s.file.path == StderrPath {
			continue
		}
		if peer := s.file.peer; peer != nil {
			if err := peer.send(max(int(level)-1, 0), b[:len(b)-1]); err != nil {
				l.syslogFailed(peer, err)
			}
			continue
		}
		s.file.Write(b)
	}
	if console {
		fmt.Fprintf(os.Stderr, "nginx: [%s] %s\n", levelNames[level], msg)
	}
	*buf = b
	lines.Put(buf)
}

// syslogFailed reports a syslog server that cannot be reached to the other files.
func (l *Log) syslogFailed(peer *Syslog, err error) {
	others := l.files.New()
	for _, s := range l.sinks {
		if s.file.peer == nil {
			others.Add(s.file, s.level)
		}
	}
	target := others
	if main := l.files.fallback.Load(); len(others.sinks) == 0 && main != nil && main != l {
		target = main
	}
	target.Output(Err, 0, "send() failed ("+conf.Errno(err)+") while logging to syslog, server: "+peer.Addr)
}

// processTag is the "pid#tid: " of log lines.
var processTag = strconv.Itoa(os.Getpid()) + "#" + strconv.Itoa(os.Getpid()) + ": "

// second is a time of log lines.
type second struct {
	unix int64
	text string
}

var lastSecond atomic.Pointer[second]

// timeText is the current time in a log line; it is made once a second.
func timeText() string {
	now := time.Now()
	if s := lastSecond.Load(); s != nil && s.unix == now.Unix() {
		return s.text
	}
	s := &second{now.Unix(), now.Format("2006/01/02 15:04:05")}
	lastSecond.Store(s)
	return s.text
}
