package phases

import (
	"math"
	"time"
)

// opt is a directive's value that may be absent: set where it was written,
// inherited by merge where it was not.
type opt[T any] struct {
	v   T
	set bool
}

// merge takes the outer level's value, or the default, when there is no own
// value. Outer levels are merged first.
func (o *opt[T]) merge(outer opt[T], def T) {
	if o.set {
		return
	}
	if outer.set {
		*o = outer
		return
	}
	o.v, o.set = def, true
}

// orDefault is the value, or def when the directive is absent.
func (o *opt[T]) orDefault(def T) T {
	if o.set {
		return o.v
	}
	return def
}

// put stores a value once; a second time is a duplicate directive.
func (o *opt[T]) put(v T) error {
	if o.set {
		return errDuplicate
	}
	o.v, o.set = v, true
	return nil
}

// parseSize reads "10", "8k", "1m" (and "1g" when giga, as offsets take) as a
// number of bytes; ok is false where nginx says "invalid value".
func parseSize(s string, giga bool) (n int64, ok bool) {
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
	n, ok = parseDecimal(s)
	if !ok || n > math.MaxInt64/scale {
		return 0, false
	}
	return n * scale, true
}

// parseDecimal reads a non-negative decimal number that is nothing else.
func parseDecimal(s string) (int64, bool) {
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

// timeUnits are the suffixes of nginx times, largest first, as they must be
// written in that order ("1h 30m").
var timeUnits = []struct {
	suffix string
	unit   time.Duration
}{
	{"y", 365 * 24 * time.Hour},
	{"M", 30 * 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// parseTime reads an nginx time: numbers with falling units, the last one
// without a unit meaning seconds ("90", "1m30s", "500ms").
func parseTime(s string) (total time.Duration, ok bool) {
	if s == "" {
		return 0, false
	}
	step := -1
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, good := parseDecimal(s[start:i])
		if !good {
			return 0, false
		}
		unit := 6 // seconds
		switch rest := s[i:]; {
		case rest == "":
		case len(rest) >= 2 && rest[:2] == "ms":
			unit, i = 7, i+2
		default:
			unit = -1
			for j := range timeUnits[:7] {
				if timeUnits[j].suffix[0] == rest[0] {
					unit = j
				}
			}
			if unit < 0 {
				if rest[0] != ' ' {
					return 0, false
				}
				unit = 6
			}
			i++
		}
		if unit <= step || n > math.MaxInt64/int64(timeUnits[unit].unit) {
			return 0, false
		}
		step = unit
		total += time.Duration(n) * timeUnits[unit].unit
		for i < len(s) && s[i] == ' ' {
			i++
		}
	}
	return total, true
}
