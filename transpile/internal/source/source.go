// Package source gives a Lua file's text by lines, cut where LuaJIT cuts them.
package source

// File is a text with an index of its lines.
type File struct {
	Text   []byte
	starts []int // offset of each line's first byte
	ends   []int // offset of each line's end mark
}

// New indexes text. A line ends with \n, \r, \r\n or \n\r, as in LuaJIT.
func New(text []byte) *File {
	f := &File{Text: text, starts: []int{0}}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\n' && c != '\r' {
			continue
		}
		f.ends = append(f.ends, i)
		if i+1 < len(text) && text[i+1] != c && (text[i+1] == '\n' || text[i+1] == '\r') {
			i++
		}
		f.starts = append(f.starts, i+1)
	}
	f.ends = append(f.ends, len(text))
	return f
}

// Lines is how many lines the text has; an empty text has one.
func (f *File) Lines() int { return len(f.starts) }

// Line is line n, counted from 1, without its end mark; nil if there is none.
func (f *File) Line(n int) []byte {
	if n < 1 || n > len(f.starts) {
		return nil
	}
	return f.Text[f.starts[n-1]:f.ends[n-1]]
}
