package phases

import "github.com/moonphase/moonphase/phases/internal/errlog"

// Logger is errlog's, which is used all over the package.
type Logger = errlog.Logger

// LogLevel is errlog's.
type LogLevel = errlog.Level

const (
	LogStderr = errlog.Stderr
	LogEmerg  = errlog.Emerg
	LogAlert  = errlog.Alert
	LogCrit   = errlog.Crit
	LogErr    = errlog.Err
	LogWarn   = errlog.Warn
	LogNotice = errlog.Notice
	LogInfo   = errlog.Info
	LogDebug  = errlog.Debug
)
