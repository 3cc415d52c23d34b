package runtime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// readFormats reads one value a format from f, a line when there is none. Formats
// are args[first:]; the first value that cannot be read is nil and ends the list.
func (th *Thread) readFormats(f *luaFile, args []Value, first int) (Value, int) {
	r, err := f.reader()
	if err != nil {
		return th.fileResult(err, "")
	}
	if len(args) <= first {
		v, err := readLine(r, false)
		return th.readResult([]Value{v}, err)
	}
	var results []Value
	for i := first; i < len(args); i++ {
		v, err := th.readFormat(r, args, i)
		results = append(results, v)
		if v.IsNil() {
			return th.readResult(results, err)
		}
	}
	return th.ReturnList(results)
}

// readResult returns what was read, or the error that ended it; the end of the file is none.
func (th *Thread) readResult(results []Value, err error) (Value, int) {
	if err != nil && err != io.EOF && !errors.Is(err, os.ErrClosed) {
		return th.fileResult(err, "")
	}
	return th.ReturnList(results)
}

func (th *Thread) readFormat(r *bufio.Reader, args []Value, i int) (Value, error) {
	if args[i].IsNumber() {
		return readCount(r, floatInt32(args[i].Num()))
	}
	if !args[i].IsString() {
		th.ArgError(i, "invalid option")
	}
	format := args[i].Str()
	if len(format) > 0 && format[0] == '*' {
		format = format[1:]
	}
	if format != "" {
		switch format[0] {
		case 'n':
			return readNumber(r)
		case 'l':
			return readLine(r, false)
		case 'L':
			return readLine(r, true)
		case 'a':
			b, err := io.ReadAll(io.LimitReader(r, int64(stringLimit)+1))
			if err != nil {
				return Nil, err
			}
			th.checkLength(len(b))
			return bytesValue(b), nil
		}
	}
	th.ArgError(i, "invalid format")
	return Nil, nil
}

// readLine reads a line, with its end when keep is set. LuaJIT takes what fgets has read for
// a string of C: it sees no end of line behind a zero and goes on with the next one.
func readLine(r *bufio.Reader, keep bool) (Value, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		zero := bytes.IndexByte(part, 0)
		if zero >= 0 {
			part = part[:zero]
		}
		line = append(line, part...)
		if err == bufio.ErrBufferFull || zero >= 0 && err == nil {
			continue
		}
		if len(line) == 0 {
			return Nil, err
		}
		break
	}
	if n := len(line) - 1; !keep && line[n] == '\n' {
		line = line[:n]
	}
	return bytesValue(line), nil
}

// readCount reads up to n bytes; with n = 0 it tells whether there are more.
func readCount(r *bufio.Reader, n int) (Value, error) {
	if n <= 0 {
		if _, err := r.Peek(1); err != nil {
			return Nil, err
		}
		return String(""), nil
	}
	if n <= fileBuffer {
		b := make([]byte, n)
		got, err := io.ReadFull(r, b)
		if got == 0 {
			return Nil, err
		}
		return bytesValue(b[:got]), nil
	}
	var b bytes.Buffer // grows with what is there, whatever n claims
	if _, err := io.CopyN(&b, r, int64(n)); b.Len() == 0 {
		return Nil, err
	}
	return bytesValue(b.Bytes()), nil
}

// maxNumeral is the number of bytes looked at for a number.
const maxNumeral = 200

// readNumber reads a number after blanks, as fscanf's %lf does.
func readNumber(r *bufio.Reader) (Value, error) {
	for {
		b, err := r.Peek(1)
		if err != nil {
			return Nil, err
		}
		if !isSpace(b[0]) {
			break
		}
		_, _ = r.Discard(1)
	}
	b, _ := r.Peek(maxNumeral)
	text := string(b)
	f, n := scanFloat(text)
	if used := misread(text, n); used > 0 {
		_, _ = r.Discard(used)
		return Nil, nil
	}
	_, _ = r.Discard(n)
	if n == 0 {
		return Nil, nil
	}
	return canonicalNumber(f), nil
}

// misread returns what fscanf has used up of a text whose first n bytes are a number, but that
// it takes for the beginning of another one: a lone sign, 0x without digits.
func misread(text string, n int) int {
	sign := 0
	if text[0] == '-' || text[0] == '+' {
		sign = 1
	}
	switch {
	case n == 0:
		return sign
	case n == sign+1 && text[sign] == '0' && len(text) > n && text[n]|0x20 == 'x':
		return n + 1
	}
	return 0
}
