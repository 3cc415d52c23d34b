package sub

import (
	"cmp"
	"slices"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// match is a text to look for, in lower case, and what stands for it.
type match struct {
	text  string
	value *core.Template
}

func newMatch(text string, value *core.Template) match { return match{ngxtext.Lower(text), value} }

// tables tell where a text may begin (ngx_http_sub_tables_t). Texts are ordered by
// their byte at least-1, the least length of all: of those that may begin at one
// place the first of the configuration comes first.
type tables struct {
	list  []match
	least int
	shift [256]uint8 // how far the place looked at may move on, 0: maybe a text
	index [257]int   // in list, of the first text with this byte at least-1
}

// maxShift bounds the part of the texts that the tables know.
const maxShift = 255

func newTables(list []match) *tables {
	t := &tables{list: list, least: maxShift}
	for i := range list {
		t.least = min(t.least, len(list[i].text))
	}
	at := t.least - 1
	slices.SortStableFunc(list, func(a, b match) int { return cmp.Compare(a.text[at], b.text[at]) })
	for c := range t.shift {
		t.shift[c] = uint8(t.least)
	}
	c := 0
	for i := range list {
		for j := range t.least {
			b := list[i].text[j]
			t.shift[b] = min(t.shift[b], uint8(at-j))
		}
		for ; c <= int(list[i].text[at]); c++ {
			t.index[c] = i
		}
	}
	for ; c < len(t.index); c++ {
		t.index[c] = len(list)
	}
	return t
}

// state is the search in one body (ngx_http_sub_ctx_t). Places count from the
// beginning of piece; those below 0 are in looked.
type state struct {
	tables *tables
	once   bool
	all    bool // each text was found once: no more is looked for

	looked []byte // the end of earlier pieces that may belong to a text
	spare  []byte
	piece  []byte
	offset int // the place that is looked at
	index  int // the text that began and was not seen to its end
	out    []byte
	done   []replaced // by text
	found  int
}

// replaced is what stands for a text, evaluated when it was first found.
type replaced struct {
	known bool
	text  string
}

func (s *state) begin(t *tables, once bool) {
	s.tables, s.once, s.offset = t, once, t.least-1
	s.done = append(s.done, make([]replaced, len(t.list))...)
}

// at is the byte at a place, in lower case.
func (s *state) at(i int) byte {
	if i < 0 {
		return ngxtext.LowerByte(s.looked[len(s.looked)+i])
	}
	return ngxtext.LowerByte(s.piece[i])
}

// parse looks for the next text, gives out what stands before it and takes that from
// the piece. Without a text it is -1, and what may begin one stays in looked. flush
// looks at the rest more closely, so that nothing else stays (ngx_http_sub_parse).
func (s *state) parse(flush bool) int {
	t, end := s.tables, len(s.piece)
	if s.all {
		return s.split(end, end, end+t.least-1, -1)
	}
	offset := s.offset
	for offset < end {
		c := s.at(offset)
		if shift := t.shift[c]; shift > 0 {
			offset += int(shift)
			s.index = 0
			continue
		}
		start := offset - t.least + 1
		for i := max(t.index[c], s.index); i < t.index[int(c)+1]; i++ {
			if s.once && s.done[i].known {
				continue
			}
			text := t.list[i].text
			whole, ok := s.begins(start, text)
			if !ok {
				continue
			}
			s.index = i
			if !whole {
				return s.split(start, start, offset, -1)
			}
			return s.split(start, start+len(text), offset+len(text), i)
		}
		offset++
		s.index = 0
	}
	start := offset - t.least + 1
	for flush && start < end && !s.mayBegin(start) {
		start, offset = start+1, offset+1
	}
	return s.split(start, start, offset, -1)
}

// mayBegin tells whether a text begins at start and goes on behind the piece.
func (s *state) mayBegin(start int) bool {
	for i := range s.tables.list {
		if whole, ok := s.begins(start, s.tables.list[i].text); ok && !whole {
			return true
		}
	}
	return false
}

// begins compares a text with what stands at start; whole is false where the piece
// ends before the text (ngx_http_sub_match).
func (s *state) begins(start int, text string) (whole, ok bool) {
	for i := range len(text) {
		if start+i >= len(s.piece) {
			return false, true
		}
		if s.at(start+i) != text[i] {
			return false, false
		}
	}
	return true, true
}

// split gives out all before start and goes on at next: behind a text that was found,
// else at the end, with what stands between in looked. offset is looked at next.
func (s *state) split(start, next, offset, found int) int {
	end := len(s.piece)
	if found >= 0 {
		end = max(next, 0)
	}
	s.out = append(s.out, s.looked[:min(max(len(s.looked)+start, 0), len(s.looked))]...)
	s.out = append(s.out, s.piece[:min(max(start, 0), len(s.piece))]...)
	s.spare = append(s.spare[:0], s.looked[min(max(len(s.looked)+next, 0), len(s.looked)):]...)
	if from := max(next, 0); from < end {
		s.spare = append(s.spare, s.piece[from:end]...)
	}
	s.looked, s.spare = s.spare, s.looked
	s.piece = s.piece[end:]
	s.offset = offset - end
	return found
}

// replacement is what stands for a text that was found.
func (s *state) replacement(r *core.Request, i int) string {
	d := &s.done[i]
	if !d.known {
		*d = replaced{true, s.tables.list[i].value.Eval(r)}
	}
	s.index = 0
	if s.once {
		s.found++
		s.all = s.found == len(s.tables.list)
	}
	return d.text
}
