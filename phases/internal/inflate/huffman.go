package inflate

import (
	"encoding/binary"
	"math/bits"
)

// Codes of up to direct bits are looked up; longer ones, up to maxBits, are found by
// counting.
const (
	direct  = 9
	maxBits = 15
)

// huffman is a canonical code.
type huffman struct {
	table   [1 << direct]uint16 // by the next bits: symbol<<4 | length of its code; 0: a longer one or none
	counts  [maxBits + 1]uint16 // of codes, by their length
	sorted  [288]uint16         // symbols in the order of their codes
	longest int                 // code, in bits
}

// build makes the code of an alphabet from the lengths of its symbols' codes. A code
// that has none or one of a single bit may be incomplete; what it lacks is an error of
// who uses it (zlib's inflate_table).
func (h *huffman) build(lengths []uint8) error {
	*h = huffman{}
	for _, n := range lengths {
		h.counts[n]++
	}
	h.counts[0] = 0
	left := 1
	var at, code [maxBits + 2]uint16
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - int(h.counts[n])
		if left < 0 {
			return ErrData
		}
		if h.counts[n] != 0 {
			h.longest = n
		}
		at[n+1] = at[n] + h.counts[n]
		code[n+1] = (code[n] + h.counts[n]) << 1
	}
	if left > 0 && h.longest > 1 {
		return ErrData
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.sorted[at[n]] = uint16(symbol)
		at[n]++
		if n <= direct {
			entry := uint16(symbol)<<4 | uint16(n)
			for i := int(bits.Reverse16(code[n]) >> (16 - n)); i < len(h.table); i += 1 << n {
				h.table[i] = entry
			}
		}
		code[n]++
	}
	return nil
}

// find reads the next symbol from the low bits of hold. length is how many bits it takes,
// 0 when there are too few, and negative when no symbol has such a code.
func (h *huffman) find(hold uint64, have uint) (symbol int, length int) {
	if e := h.table[hold&(1<<direct-1)]; e != 0 {
		if length = int(e & 15); uint(length) > have {
			return 0, 0
		}
		return int(e >> 4), length
	}
	code, first, index := 0, 0, 0
	for n := 1; n <= h.longest; n++ {
		if uint(n) > have {
			return 0, 0
		}
		code |= int(hold & 1)
		hold >>= 1
		count := int(h.counts[n])
		if code < first+count {
			return int(h.sorted[index+code-first]), n
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, -1
}

var fixedLiterals, fixedDistance = fixed()

// fixed are the codes of blocks that bring none along.
func fixed() (literals, distance huffman) {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	_ = literals.build(lengths[:]) // complete, by RFC 1951
	for i := range lengths[:32] {
		lengths[i] = 5
	}
	_ = distance.build(lengths[:32])
	return literals, distance
}

// The places of the three alphabets in Stream.sizes.
const (
	literalSize = iota
	distanceSize
	codeSize
)

// readSizes reads how many codes a block brings along.
func (s *Stream) readSizes() error {
	s.sizes = [3]int{literalSize: int(s.drop(5)) + 257, distanceSize: int(s.drop(5)) + 1, codeSize: int(s.drop(4)) + 4}
	if s.sizes[literalSize] > 286 || s.sizes[distanceSize] > 30 {
		return ErrData
	}
	s.lengths = [len(s.lengths)]uint8{}
	s.left, s.step = 0, codeSizes
	return nil
}

// codeOrder is the order of the code lengths' own lengths.
var codeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodeSize reads the length of one code of a code length.
func (s *Stream) readCodeSize() error {
	s.lengths[codeOrder[s.left]] = uint8(s.drop(3))
	if s.left++; s.left < s.sizes[codeSize] {
		return nil
	}
	if err := s.literals.build(s.lengths[:len(codeOrder)]); err != nil {
		return err
	}
	if s.literals.table[1] == 0 {
		return ErrData // incomplete, which only the other two may be
	}
	s.lengths = [len(s.lengths)]uint8{}
	s.left, s.step = 0, codeLengths
	return nil
}

// readLength reads the length of one code, or of several, and builds the codes behind
// the last.
func (s *Stream) readLength() (more bool, err error) {
	if s.left == s.sizes[literalSize]+s.sizes[distanceSize] {
		return true, s.buildCodes()
	}
	symbol, n := s.literals.find(s.hold, s.bits)
	switch {
	case n < 0:
		return false, ErrData
	case n == 0:
		return false, nil
	case symbol < 16:
		s.drop(uint(n))
		s.lengths[s.left] = uint8(symbol)
		s.left++
		return true, nil
	}
	repeat := [...]struct {
		bits  uint
		least int
	}{{2, 3}, {3, 3}, {7, 11}}[symbol-16]
	if s.bits < uint(n)+repeat.bits {
		return false, nil
	}
	s.drop(uint(n))
	value := uint8(0)
	if symbol == 16 {
		if s.left == 0 {
			return false, ErrData
		}
		value = s.lengths[s.left-1]
	}
	times := repeat.least + int(s.drop(repeat.bits))
	if s.left+times > s.sizes[literalSize]+s.sizes[distanceSize] {
		return false, ErrData
	}
	for range times {
		s.lengths[s.left] = value
		s.left++
	}
	return true, nil
}

// endOfBlock is the symbol that ends a block; those above are lengths of matches.
const endOfBlock = 256

// buildCodes makes the codes of a block whose lengths have been read.
func (s *Stream) buildCodes() error {
	literals := s.sizes[literalSize]
	if s.lengths[endOfBlock] == 0 {
		return ErrData
	}
	if err := s.literals.build(s.lengths[:literals]); err != nil {
		return err
	}
	s.step = symbols
	return s.distance.build(s.lengths[literals:s.left])
}

// span is a range of lengths or distances, from base, told apart by extra bits.
type span struct {
	base  uint16
	extra uint8
}

var lengthSpans = [...]span{{3, 0}, {4, 0}, {5, 0}, {6, 0}, {7, 0}, {8, 0}, {9, 0}, {10, 0}, {11, 1}, {13, 1}, {15, 1}, {17, 1},
	{19, 2}, {23, 2}, {27, 2}, {31, 2}, {35, 3}, {43, 3}, {51, 3}, {59, 3}, {67, 4}, {83, 4}, {99, 4}, {115, 4},
	{131, 5}, {163, 5}, {195, 5}, {227, 5}, {longest, 0}}

var distanceSpans = [...]span{{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 1}, {7, 1}, {9, 2}, {13, 2}, {17, 3}, {25, 3}, {33, 4}, {49, 4},
	{65, 5}, {97, 5}, {129, 6}, {193, 6}, {257, 7}, {385, 7}, {513, 8}, {769, 8}, {1025, 9}, {1537, 9},
	{2049, 10}, {3073, 10}, {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}}

// unpack decodes symbols until the block ends, the input is used up or buf has full
// bytes. A match takes 48 bits at most, which hold has room for: it is read whole or not
// at all.
func (s *Stream) unpack(p []byte, full int) (rest []byte, more bool, err error) {
	hold, have, buf := s.hold, s.bits, s.buf
	defer func() { s.hold, s.bits, s.buf = hold&(1<<have-1), have, buf }()
	for len(buf) < full {
		if len(p) >= 8 && have < 56 {
			hold |= binary.LittleEndian.Uint64(p) << have
			p = p[(63-have)>>3:]
			have |= 56
		} else {
			for have <= 56 && len(p) > 0 {
				hold |= uint64(p[0]) << have
				have += 8
				p = p[1:]
			}
		}
		symbol, n := s.literals.find(hold, have)
		switch {
		case n < 0, symbol > endOfBlock+len(lengthSpans):
			return p, false, ErrData
		case n == 0:
			return p, false, nil
		case symbol < endOfBlock:
			buf = append(buf, byte(symbol))
			hold, have = hold>>n, have-uint(n)
			continue
		case symbol == endOfBlock:
			hold, have = hold>>n, have-uint(n)
			s.hold, s.bits = hold&(1<<have-1), have
			s.endBlock()
			hold, have = s.hold, s.bits
			return p, true, nil
		}
		used := uint(n)
		span := lengthSpans[symbol-endOfBlock-1]
		length := int(span.base) + int(hold>>used&(1<<span.extra-1))
		if used += uint(span.extra); used > have {
			return p, false, nil
		}
		symbol, n = s.distance.find(hold>>used, have-used)
		switch {
		case n < 0, symbol >= len(distanceSpans):
			return p, false, ErrData
		case n == 0:
			return p, false, nil
		}
		used += uint(n)
		span = distanceSpans[symbol]
		back := int(span.base) + int(hold>>used&(1<<span.extra-1))
		if used += uint(span.extra); used > have {
			return p, false, nil
		}
		if back > len(buf)-s.begin {
			return p, false, ErrData
		}
		hold, have = hold>>used, have-used
		buf = appendMatch(buf, back, length)
	}
	return p, true, nil
}

// appendMatch repeats length bytes from so far back; they may overlap.
func appendMatch(buf []byte, back, length int) []byte {
	from := len(buf) - back
	for length > back {
		buf = append(buf, buf[from:from+back]...)
		length -= back
		back *= 2
	}
	return append(buf, buf[from:from+length]...)
}
