package errlog

// Level is the severity of a line, with ngx.ERR's numbers.
type Level int

const (
	Stderr Level = iota
	Emerg
	Alert
	Crit
	Err
	Warn
	Notice
	Info
	Debug
)

// levelNames are the words of error_log and of the lines it makes. Lines of level
// stderr have none.
var levelNames = [...]string{"", "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}

// ParseLevel reads a level of error_log. The debug_* levels of nginx choose
// parts of it that do not exist here, so they mean debug.
func ParseLevel(s string) (Level, bool) {
	for l := Emerg; l <= Debug; l++ {
		if levelNames[l] == s {
			return l, true
		}
	}
	switch s {
	case "debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream":
		return Debug, true
	}
	return 0, false
}

// Logger is where error-log lines go. conn is the connection's number, 0 for
// none; msg is complete, without level, time and pid.
type Logger interface {
	Enabled(level Level) bool
	Output(level Level, conn int64, msg string)
}
