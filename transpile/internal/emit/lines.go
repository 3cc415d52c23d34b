package emit

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Marks are comments that give the Lua line of what follows: a line of its own
// before a statement, or in the middle of an expression. directives turns them
// into //line directives where the line is not what the Go compiler counts to
// by itself, and drops the others.
const (
	markOpen  = "/*@"
	markClose = "@*/"
)

func mark(line int) string { return markOpen + strconv.Itoa(line) + markClose }

// directives rewrites the marks in formatted Go text.
func directives(text []byte, opt Options) []byte {
	var out bytes.Buffer
	out.Grow(len(text))
	d := &liner{file: opt.LineFile}
	if opt.NoLines {
		d.file = ""
	}
	for len(text) > 0 {
		var line []byte
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			line, text = text, nil
		}
		d.line(&out, line)
	}
	return out.Bytes()
}

// liner walks the text line by line.
type liner struct {
	file string
	next int // the Lua line that the Go compiler gives to the next text line, 0 before the first directive
	want int // the line that a mark on a line of its own asked for, 0 if none did
	doc  bool
}

func (d *liner) line(out *bytes.Buffer, line []byte) {
	trimmed := bytes.TrimSpace(line)
	if n, ok := markOnly(trimmed); ok {
		d.want = n
		return
	}
	if d.file == "" {
		out.Write(stripMarks(line))
		out.WriteByte('\n')
		return
	}
	if d.want != 0 && len(trimmed) > 0 {
		if d.want != d.next {
			if d.doc {
				out.WriteString("//\n")
			}
			fmt.Fprintf(out, "//line %s:%d\n", d.file, d.want)
		}
		d.next, d.want = d.want, 0
	}
	d.doc = len(line) > 1 && line[0] == '/' && line[1] == '/'
	cur := d.next
	for {
		i := bytes.Index(line, []byte(markOpen))
		if i < 0 {
			break
		}
		end := bytes.Index(line[i:], []byte(markClose)) + i
		n, _ := strconv.Atoi(string(line[i+len(markOpen) : end]))
		out.Write(line[:i])
		line = line[end+len(markClose):]
		if n == cur {
			line = bytes.TrimPrefix(line, []byte(" "))
			continue
		}
		cur = n
		fmt.Fprintf(out, "/*line %s:%d*/", d.file, n)
	}
	out.Write(line)
	out.WriteByte('\n')
	if cur != 0 {
		cur++
	}
	d.next = cur
}

// markOnly reads a line that holds just a mark.
func markOnly(line []byte) (int, bool) {
	s := string(line)
	if !strings.HasPrefix(s, markOpen) || !strings.HasSuffix(s, markClose) || strings.Count(s, markOpen) != 1 {
		return 0, false
	}
	n, err := strconv.Atoi(s[len(markOpen) : len(s)-len(markClose)])
	return n, err == nil
}

func stripMarks(line []byte) []byte {
	for {
		i := bytes.Index(line, []byte(markOpen))
		if i < 0 {
			return line
		}
		end := bytes.Index(line[i:], []byte(markClose)) + i + len(markClose)
		if end < len(line) && line[end] == ' ' {
			end++
		}
		line = append(line[:i:i], line[end:]...)
	}
}
