package ngxtext

import (
	"math"
	"slices"
	"strings"
	"time"
)

// ParseSize reads "10", "8k", "1m" (and "1g" when giga, as offsets take) as a
// number of bytes; ok is false where nginx says "invalid value".
func ParseSize(s string, giga bool) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	scale := int64(1)
	switch s[len(s)-1] {
	case 'k', 'K':
		scale = 1 << 10
	case 'm', 'M':
		scale = 1 << 20
	case 'g', 'G':
		if !giga {
			return 0, false
		}
		scale = 1 << 30
	}
	if scale > 1 {
		s = s[:len(s)-1]
	}
	n, ok = ParseDecimal(s)
	if !ok || n > math.MaxInt64/scale {
		return 0, false
	}
	return n * scale, true
}

// ParseDecimal reads a non-negative decimal number that is nothing else.
func ParseDecimal(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 || n > (math.MaxInt64-int64(d))/10 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// A timeUnit is a suffix of nginx times.
type timeUnit struct {
	suffix string
	unit   time.Duration
}

// timeUnits go from large to small, as they must be written ("1h30m").
var timeUnits = []timeUnit{
	{"y", 365 * 24 * time.Hour},
	{"M", 30 * 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// ParseTime reads a time that nginx keeps in milliseconds: numbers with falling
// units from weeks on, the last one without a unit meaning seconds ("90", "1m30s",
// "500ms"). What a Duration cannot hold becomes the longest one.
func ParseTime(s string) (time.Duration, bool) {
	return readTime(s, timeUnits[2:], time.Millisecond)
}

// ParseSeconds reads a time that nginx keeps in seconds: it may have years and
// months, and no milliseconds.
func ParseSeconds(s string) (time.Duration, bool) {
	return readTime(s, timeUnits[:7], time.Second)
}

// readTime reads a time in these units that is kept in ticks (ngx_parse_time).
// Blanks may follow a unit; in place of one they mean seconds.
func readTime(s string, units []timeUnit, tick time.Duration) (time.Duration, bool) {
	var total, n int64       // ticks, and the number that is being read
	digits, rank := false, 0 // rank: the first of units that may follow
	take := func(unit time.Duration) bool {
		scale := int64(unit / tick)
		if n > (math.MaxInt64-total)/scale {
			return false
		}
		total, n = total+n*scale, 0
		return true
	}
	for i := 0; i < len(s); {
		if d := s[i] - '0'; d <= 9 {
			if n > (math.MaxInt64-int64(d))/10 {
				return 0, false
			}
			n, digits = n*10+int64(d), true
			i++
			continue
		}
		at := unitAt(units, s[i:])
		if at < rank || !take(units[at].unit) {
			return 0, false
		}
		if rank = at + 1; s[i] == ' ' {
			rank = len(units)
		} else {
			i += len(units[at].suffix)
		}
		for i < len(s) && s[i] == ' ' {
			i++
		}
	}
	if !digits || !take(time.Second) {
		return 0, false
	}
	if total > math.MaxInt64/int64(tick) {
		return math.MaxInt64, true
	}
	return time.Duration(total) * tick, true
}

// unitAt is the place in units of the one that s begins with, -1 for none.
func unitAt(units []timeUnit, s string) int {
	word := s[:1]
	switch {
	case word == " ":
		word = "s"
	case strings.HasPrefix(s, "ms"):
		word = "ms"
	}
	return slices.IndexFunc(units, func(u timeUnit) bool { return u.suffix == word })
}
