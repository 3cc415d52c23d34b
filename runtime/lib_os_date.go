package runtime

import (
	"math"
	"strings"
	"time"
)

// maxDateSeconds is the last second, in either direction, of a year that fits C's int.
const maxDateSeconds = 67768036191676799

func osDate(th *Thread, args []Value) (Value, int) {
	format, _, _ := strings.Cut(th.OptString(args, 0, "%c"), "\x00")
	at := time.Now()
	if !isAbsent(args, 1) {
		seconds := th.CheckNumber(args, 1)
		if math.Abs(seconds) > maxDateSeconds || seconds != seconds {
			return Nil, 1
		}
		at = time.Unix(int64(seconds), 0)
	}
	zone := ""
	if utc, ok := strings.CutPrefix(format, "!"); ok {
		format, at, zone = utc, at.UTC(), "GMT"
	}
	if strings.HasPrefix(format, "*t") {
		return dateTable(at), 1
	}
	d := dateFormatter{Time: at, zone: zone}
	d.append(format)
	return bytesValue(d.buf), 1
}

func dateTable(at time.Time) Value {
	t := NewTable(0, 9)
	for _, f := range []struct {
		name  string
		value int
	}{
		{"sec", at.Second()}, {"min", at.Minute()}, {"hour", at.Hour()},
		{"day", at.Day()}, {"month", int(at.Month())}, {"year", at.Year()},
		{"wday", int(at.Weekday()) + 1}, {"yday", at.YearDay()},
	} {
		t.SetStr(f.name, Int(f.value))
	}
	t.SetStr("isdst", Bool(at.IsDST()))
	return TableValue(t)
}
