package runtime

import "strconv"

// parseFormatSpec parses what follows a % at s[i-1]. next is the index after the
// conversion letter. ok is false when the specification is malformed; s[:next]
// then ends with the offending byte, which the message shows.
func parseFormatSpec(s string, i int) (spec formatSpec, next int, ok bool) {
	spec.prec = -1
flags:
	for ; i < len(s); i++ {
		switch s[i] {
		case '-':
			spec.left = true
		case '+':
			spec.plus = true
		case ' ':
			spec.space = true
		case '#':
			spec.alt = true
		case '0':
			spec.zero = true
		default:
			break flags
		}
	}
	spec.width, i = twoDigits(s, i)
	if i < len(s) && s[i] == '.' {
		spec.prec, i = twoDigits(s, i+1)
	}
	if i >= len(s) {
		return spec, i, false
	}
	spec.conv = s[i]
	return spec, i + 1, isConversion(s[i])
}

func twoDigits(s string, i int) (n, next int) {
	for end := i + 2; i < end && i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		n = 10*n + int(s[i]-'0')
	}
	return n, i
}

func isConversion(c byte) bool {
	switch c {
	case 'd', 'i', 'u', 'o', 'x', 'X', 'a', 'A', 'e', 'E', 'f', 'F', 'g', 'G', 'c', 's', 'q', 'p':
		return true
	}
	return false
}

// appendString appends v, cut to the precision and padded to the width.
func (s formatSpec) appendString(dst []byte, v string) []byte {
	if s.prec >= 0 && s.prec < len(v) {
		v = v[:s.prec]
	}
	start := len(dst)
	dst = append(dst, v...)
	s.zero = false
	return s.pad(dst, start, start)
}

// maxEscape is how many bytes stand for one in a quoted string at most.
const maxEscape = 4

// quotedLen returns the most bytes that appendQuoted makes of s.
func quotedLen(s string) int {
	n := 2
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			n += maxEscape
		case c == '"' || c == '\\':
			n++
			fallthrough
		default:
			n++
		}
	}
	return n
}

// appendQuoted appends s as a Lua string literal.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"' || c == '\\' || c == '\n':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\')
			if i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				dst = append(dst, '0'+c/100, '0'+c/10%10, '0'+c%10)
			} else {
				dst = strconv.AppendUint(dst, uint64(c), 10)
			}
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// formatter produces the text of string.format and buffer:putf.
type formatter struct {
	th   *Thread
	args []Value // of the function, its format among them
	next int     // index of the argument the next conversion takes
	dst  []byte
}

// run appends format filled with the arguments.
func (f *formatter) run(format string) {
	start := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		f.th.checkLength(len(f.dst) + i - start)
		f.dst = append(f.dst, format[start:i]...)
		i++
		if i < len(format) && format[i] == '%' {
			start = i // the second % is text
			continue
		}
		spec, next, ok := parseFormatSpec(format, i)
		if !ok {
			f.th.Errorf("invalid option '%s' to 'format'", format[i-1:next])
		}
		f.convert(spec)
		start = next
		i = next - 1
	}
	f.th.checkLength(len(f.dst) + len(format) - start)
	f.dst = append(f.dst, format[start:]...)
}

// convert appends the next argument as spec says.
func (f *formatter) convert(spec formatSpec) {
	th, i := f.th, f.next
	if i >= len(f.args) {
		th.ArgError(i, "value expected")
	}
	f.next++
	v := f.args[i]
	switch spec.conv {
	case 'd', 'i':
		if k, ok := cdataBits(v); ok {
			f.dst = spec.appendInt(f.dst, k)
			return
		}
		k := truncInt64(f.number(i))
		if spec == (formatSpec{prec: -1, conv: spec.conv}) {
			f.dst = strconv.AppendInt(f.dst, k, 10)
			return
		}
		f.dst = spec.appendInt(f.dst, uint64(k))
	case 'u', 'o', 'x', 'X':
		if k, ok := cdataBits(v); ok {
			f.dst = spec.appendInt(f.dst, k)
			return
		}
		f.dst = spec.appendInt(f.dst, truncUint64(f.number(i)))
	case 'c':
		spec.prec = -1
		f.dst = spec.appendString(f.dst, string([]byte{byte(truncInt64(f.number(i)))}))
	case 's':
		s := th.ToStringMeta(v)
		th.checkLength(len(f.dst) + len(s))
		f.dst = spec.appendString(f.dst, s)
	case 'q':
		s := th.ToStringMeta(v)
		if len(s) > stringLimit/maxEscape {
			th.checkLength(len(f.dst) + quotedLen(s))
		}
		f.dst = appendQuoted(f.dst, s)
	case 'p':
		f.pointer(v)
	default:
		f.dst = spec.appendFloat(f.dst, f.number(i))
	}
}

// number returns argument i as a number.
func (f *formatter) number(i int) float64 { return f.th.CheckNumber(f.args, i) }

// pointer appends the address of an object whatever the width; values without
// identity give NULL.
func (f *formatter) pointer(v Value) {
	switch v.Type() {
	case TypeNil, TypeBoolean, TypeNumber:
		f.dst = append(f.dst, "NULL"...)
	default:
		f.dst = append(f.dst, "0x"...)
		f.dst = strconv.AppendUint(f.dst, uint64(v.address()), 16)
	}
}

// cdataBits returns the bits of a 64-bit integer.
func cdataBits(v Value) (uint64, bool) {
	if !v.IsCData() {
		return 0, false
	}
	return v.CData().Bits, true
}
