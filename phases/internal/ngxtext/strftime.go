package ngxtext

import (
	"fmt"
	"strconv"
	"time"
)

// goForms are verbs of strftime(3), in the C locale, that Go has a layout for.
var goForms = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'm': "01",
	'M': "04", 'p': "PM", 'S': "05", 'y': "06", 'Y': "2006", 'Z': "MST", 'z': "-0700", 'T': "15:04:05", 'X': "15:04:05",
	'R': "15:04", 'D': "01/02/06", 'x': "01/02/06", 'F': "2006-01-02", 'c': "Mon Jan _2 15:04:05 2006", 'r': "03:04:05 PM", 'P': "pm",
}

// Strftime writes a time as strftime(3) does in the C locale; a verb that is none stays as
// it is. UTC is called GMT, as gmtime(3) does.
func Strftime(t time.Time, format string) string {
	var b []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b = append(b, format[i])
			continue
		}
		i++
		switch c := format[i]; c {
		case 'Z':
			if t.Location() == time.UTC {
				b = append(b, "GMT"...)
				continue
			}
			b = t.AppendFormat(b, "MST")
		case 's':
			b = strconv.AppendInt(b, t.Unix(), 10)
		case 'j':
			b = fmt.Appendf(b, "%03d", t.YearDay())
		case 'k':
			b = fmt.Appendf(b, "%2d", t.Hour())
		case 'l':
			b = fmt.Appendf(b, "%2d", (t.Hour()+11)%12+1)
		case 'u':
			b = strconv.AppendInt(b, int64((t.Weekday()+6)%7+1), 10)
		case 'w':
			b = strconv.AppendInt(b, int64(t.Weekday()), 10)
		case 'C':
			b = fmt.Appendf(b, "%02d", t.Year()/100)
		case 'G':
			year, _ := t.ISOWeek()
			b = strconv.AppendInt(b, int64(year), 10)
		case 'V':
			_, week := t.ISOWeek()
			b = fmt.Appendf(b, "%02d", week)
		case 'U':
			b = fmt.Appendf(b, "%02d", (t.YearDay()+6-int(t.Weekday()))/7)
		case 'W':
			b = fmt.Appendf(b, "%02d", (t.YearDay()+6-int(t.Weekday()+6)%7)/7)
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '%':
			b = append(b, '%')
		default:
			if form, ok := goForms[c]; ok {
				b = t.AppendFormat(b, form)
			} else {
				b = append(b, '%', c)
			}
		}
	}
	return string(b)
}
