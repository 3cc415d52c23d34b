package runtime

import (
	"math"
	"strconv"
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

// dateFormatter is C's strftime in the C locale, with the flags and widths of glibc.
type dateFormatter struct {
	time.Time
	zone string // name of the zone when it is not the Time's own
	buf  []byte
}

// dateSpec is a conversion specification of strftime.
type dateSpec struct {
	pad   byte // '_', '-' or '0', 0 for the conversion's own
	upper bool // ^
	swap  bool // #
	width int
}

// append appends format with its conversions filled in.
func (d *dateFormatter) append(format string) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			d.buf = append(d.buf, format[i])
			continue
		}
		spec, next := parseDateSpec(format, i+1)
		start := len(d.buf)
		if next >= len(format) || !d.convert(format[next], spec) {
			d.buf = append(d.buf[:start], format[i:min(next+1, len(format))]...)
		}
		i = next
	}
}

func parseDateSpec(format string, i int) (spec dateSpec, next int) {
	for ; i < len(format); i++ {
		switch c := format[i]; {
		case c == '_' || c == '-' || c == '0' && spec.width == 0:
			spec.pad = c
		case c == '^':
			spec.upper = true
		case c == '#':
			spec.swap = true
		case '0' <= c && c <= '9':
			spec.width = min(10*spec.width+int(c-'0'), 1000)
		case c == 'E' || c == 'O': // alternative forms, which the C locale does not have
		default:
			return spec, i
		}
	}
	return spec, i
}

// convert appends one conversion; false when there is no such one.
func (d *dateFormatter) convert(c byte, spec dateSpec) bool {
	isoYear, isoWeek := d.ISOWeek()
	switch c {
	case '%':
		d.buf = append(d.buf, '%')
	case 'n':
		d.buf = append(d.buf, '\n')
	case 't':
		d.buf = append(d.buf, '\t')
	case 'a':
		d.text(spec, d.Weekday().String()[:3])
	case 'A':
		d.text(spec, d.Weekday().String())
	case 'b', 'h':
		d.text(spec, d.Month().String()[:3])
	case 'B':
		d.text(spec, d.Month().String())
	case 'p':
		d.text(spec, d.halfDay(spec.swap))
	case 'P':
		d.text(spec, strings.ToLower(d.halfDay(false)))
	case 'Z':
		name := d.zone
		if name == "" {
			name, _ = d.Zone()
		}
		if spec.swap {
			name = strings.ToLower(name)
		}
		d.text(dateSpec{width: spec.width, pad: spec.pad, upper: spec.upper}, name)
	case 'z':
		d.offset()
	case 'c':
		d.append("%a %b %e %H:%M:%S %Y")
	case 'D', 'x':
		d.append("%m/%d/%y")
	case 'F':
		d.append("%Y-%m-%d")
	case 'r':
		d.append("%I:%M:%S %p")
	case 'R':
		d.append("%H:%M")
	case 'T', 'X':
		d.append("%H:%M:%S")
	case 'C':
		d.number(spec, d.Year()/100, 2, '0')
	case 'd':
		d.number(spec, d.Day(), 2, '0')
	case 'e':
		d.number(spec, d.Day(), 2, ' ')
	case 'g':
		d.number(spec, isoYear%100, 2, '0')
	case 'G':
		d.number(spec, isoYear, 1, '0')
	case 'H':
		d.number(spec, d.Hour(), 2, '0')
	case 'I':
		d.number(spec, (d.Hour()+11)%12+1, 2, '0')
	case 'j':
		d.number(spec, d.YearDay(), 3, '0')
	case 'k':
		d.number(spec, d.Hour(), 2, ' ')
	case 'l':
		d.number(spec, (d.Hour()+11)%12+1, 2, ' ')
	case 'm':
		d.number(spec, int(d.Month()), 2, '0')
	case 'M':
		d.number(spec, d.Minute(), 2, '0')
	case 's':
		d.number(spec, int(d.Unix()), 1, '0')
	case 'S':
		d.number(spec, d.Second(), 2, '0')
	case 'u':
		d.number(spec, (int(d.Weekday())+6)%7+1, 1, '0')
	case 'U':
		d.number(spec, (d.YearDay()+6-int(d.Weekday()))/7, 2, '0')
	case 'V':
		d.number(spec, isoWeek, 2, '0')
	case 'w':
		d.number(spec, int(d.Weekday()), 1, '0')
	case 'W':
		d.number(spec, (d.YearDay()+6-(int(d.Weekday())+6)%7)/7, 2, '0')
	case 'y':
		d.number(spec, d.Year()%100, 2, '0')
	case 'Y':
		d.number(spec, d.Year(), 1, '0')
	default:
		return false
	}
	return true
}

// halfDay returns AM or PM; the # flag asks for small letters.
func (d *dateFormatter) halfDay(lower bool) string {
	s := "AM"
	if d.Hour() >= 12 {
		s = "PM"
	}
	if lower {
		return strings.ToLower(s)
	}
	return s
}

// offset appends the offset to UTC as +hhmm.
func (d *dateFormatter) offset() {
	_, seconds := d.Zone()
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	d.buf = append(d.buf, sign)
	d.number(dateSpec{}, seconds/3600*100+seconds/60%60, 4, '0')
}

func (d *dateFormatter) text(spec dateSpec, s string) {
	if spec.upper || spec.swap && s != strings.ToLower(s) && s != strings.ToUpper(s) {
		s = strings.ToUpper(s)
	}
	fill := byte(' ')
	if spec.pad == '0' {
		fill = '0'
	}
	for i := len(s); i < spec.width; i++ {
		d.buf = append(d.buf, fill)
	}
	d.buf = append(d.buf, s...)
}

func (d *dateFormatter) number(spec dateSpec, n, width int, fill byte) {
	switch spec.pad {
	case '_':
		fill = ' '
	case '0':
		fill = '0'
	case '-':
		width = 0
	}
	digits := strconv.Itoa(n)
	for i := len(digits); i < max(width, spec.width); i++ {
		d.buf = append(d.buf, fill)
	}
	d.buf = append(d.buf, digits...)
}
