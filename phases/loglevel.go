package phases

// LogLevel is the severity of an error-log line, with ngx.ERR's numbers.
type LogLevel int

const (
	LogStderr LogLevel = iota
	LogEmerg
	LogAlert
	LogCrit
	LogErr
	LogWarn
	LogNotice
	LogInfo
	LogDebug
)

// Logger is where error-log lines go. conn is the connection's number, 0 for
// none; msg is complete, without level, time and pid.
type Logger interface {
	Enabled(level LogLevel) bool
	Output(level LogLevel, conn int64, msg string)
}
