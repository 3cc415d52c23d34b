package runtime

import (
	"strconv"
	"strings"
	"time"
)

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

// dateConversion is what a conversion character stands for: one of a text, a number
// with its least width and what fills it, and an abbreviation of a whole format.
type dateConversion struct {
	text   func(d *dateFormatter) string
	number func(d *dateFormatter) int
	width  int
	fill   byte
	format string
}

// dateConversions are those that the C locale has.
var dateConversions = map[byte]dateConversion{
	'%': {format: "%"},
	'n': {format: "\n"},
	't': {format: "\t"},
	'c': {format: "%a %b %e %H:%M:%S %Y"},
	'D': {format: "%m/%d/%y"},
	'x': {format: "%m/%d/%y"},
	'F': {format: "%Y-%m-%d"},
	'r': {format: "%I:%M:%S %p"},
	'R': {format: "%H:%M"},
	'T': {format: "%H:%M:%S"},
	'X': {format: "%H:%M:%S"},

	'a': {text: func(d *dateFormatter) string { return d.Weekday().String()[:3] }},
	'A': {text: func(d *dateFormatter) string { return d.Weekday().String() }},
	'b': {text: func(d *dateFormatter) string { return d.Month().String()[:3] }},
	'h': {text: func(d *dateFormatter) string { return d.Month().String()[:3] }},
	'B': {text: func(d *dateFormatter) string { return d.Month().String() }},
	'p': {text: (*dateFormatter).halfDay},
	'P': {text: func(d *dateFormatter) string { return strings.ToLower(d.halfDay()) }},
	'Z': {text: (*dateFormatter).zoneName},

	'C': {number: func(d *dateFormatter) int { return d.Year() / 100 }, width: 2, fill: '0'},
	'd': {number: func(d *dateFormatter) int { return d.Day() }, width: 2, fill: '0'},
	'e': {number: func(d *dateFormatter) int { return d.Day() }, width: 2, fill: ' '},
	'g': {number: func(d *dateFormatter) int { year, _ := d.ISOWeek(); return year % 100 }, width: 2, fill: '0'},
	'G': {number: func(d *dateFormatter) int { year, _ := d.ISOWeek(); return year }, width: 1, fill: '0'},
	'H': {number: func(d *dateFormatter) int { return d.Hour() }, width: 2, fill: '0'},
	'I': {number: (*dateFormatter).hour12, width: 2, fill: '0'},
	'j': {number: func(d *dateFormatter) int { return d.YearDay() }, width: 3, fill: '0'},
	'k': {number: func(d *dateFormatter) int { return d.Hour() }, width: 2, fill: ' '},
	'l': {number: (*dateFormatter).hour12, width: 2, fill: ' '},
	'm': {number: func(d *dateFormatter) int { return int(d.Month()) }, width: 2, fill: '0'},
	'M': {number: func(d *dateFormatter) int { return d.Minute() }, width: 2, fill: '0'},
	's': {number: func(d *dateFormatter) int { return int(d.Unix()) }, width: 1, fill: '0'},
	'S': {number: func(d *dateFormatter) int { return d.Second() }, width: 2, fill: '0'},
	'u': {number: func(d *dateFormatter) int { return d.fromMonday() + 1 }, width: 1, fill: '0'},
	'U': {number: func(d *dateFormatter) int { return (d.YearDay() + 6 - int(d.Weekday())) / 7 }, width: 2, fill: '0'},
	'V': {number: func(d *dateFormatter) int { _, week := d.ISOWeek(); return week }, width: 2, fill: '0'},
	'w': {number: func(d *dateFormatter) int { return int(d.Weekday()) }, width: 1, fill: '0'},
	'W': {number: func(d *dateFormatter) int { return (d.YearDay() + 6 - d.fromMonday()) / 7 }, width: 2, fill: '0'},
	'y': {number: func(d *dateFormatter) int { return d.Year() % 100 }, width: 2, fill: '0'},
	'Y': {number: func(d *dateFormatter) int { return d.Year() }, width: 1, fill: '0'},
}

// convert appends one conversion; false when there is no such one.
func (d *dateFormatter) convert(c byte, spec dateSpec) bool {
	if c == 'z' {
		d.offset()
		return true
	}
	conv, ok := dateConversions[c]
	switch {
	case !ok:
		return false
	case conv.number != nil:
		d.number(spec, conv.number(d), conv.width, conv.fill)
	case conv.text == nil && len(conv.format) == 1:
		d.buf = append(d.buf, conv.format...)
	case conv.text == nil:
		d.append(conv.format)
	default:
		text := conv.text(d)
		if spec.swap && (c == 'p' || c == 'Z') {
			text, spec.swap = strings.ToLower(text), false
		}
		d.text(spec, text)
	}
	return true
}

// halfDay is AM or PM.
func (d *dateFormatter) halfDay() string {
	if d.Hour() >= 12 {
		return "PM"
	}
	return "AM"
}

func (d *dateFormatter) zoneName() string {
	if d.zone != "" {
		return d.zone
	}
	name, _ := d.Zone()
	return name
}

// hour12 is the hour on a clock of twelve.
func (d *dateFormatter) hour12() int { return (d.Hour()+11)%12 + 1 }

// fromMonday is the number of days since Monday.
func (d *dateFormatter) fromMonday() int { return (int(d.Weekday()) + 6) % 7 }

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
