// Package inflate unpacks gzip that comes in pieces. It gives at once whatever can be
// known of the text so far, as zlib's inflate does; compress/flate keeps text back
// until its window is full or a block ends.
package inflate

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// ErrData says that the input is no gzip, or is damaged (zlib's Z_DATA_ERROR).
var ErrData = errors.New("incorrect gzip data")

// window is how far back a match may reach, in bytes; longest is its length.
const (
	window  = 32 << 10
	longest = 258
)

// step is what the stream needs next.
type step uint8

const (
	magic step = iota // of a member: the first or, behind the end of one, another
	flags
	mtime
	system
	extraLength
	extra
	name
	comment
	headCheck
	blockHead
	storedLength
	stored
	tableSizes
	codeSizes
	codeLengths
	symbols
	check
	length
)

// Stream unpacks one gzip stream, all its members one behind the other. The zero
// Stream is ready.
type Stream struct {
	hold uint64 // bits of the input that are not used yet, the next one lowest
	bits uint   // their number

	step    step
	ended   bool   // a member has ended, and none has begun since
	head    uint32 // flags of the member's head
	headSum uint32 // check of the bytes of the head
	left    int    // of the extra field, of a stored block, of lengths
	last    bool   // the block is the member's last

	buf    []byte // what was unpacked: up to a window that has been taken, and the rest
	taken  int    // where that rest begins
	begin  int    // where the member begins; 0 when it began earlier
	summed int    // up to where sum has seen it
	sum    uint32
	size   uint32 // of the member

	sizes    [3]int // of the alphabets: literals, distances, code lengths
	lengths  [286 + 30]uint8
	literals huffman
	distance huffman
}

// Reset makes s new, and keeps its memory.
func (s *Stream) Reset() { *s = Stream{buf: s.buf[:0], literals: s.literals, distance: s.distance} }

// Ended tells whether the input so far is a whole stream.
func (s *Stream) Ended() bool { return s.ended && s.bits == 0 }

// Text is what has been unpacked and not yet taken. It is valid until the next call.
func (s *Stream) Text() []byte { return s.buf[s.taken:] }

// Take forgets the first n bytes of the text.
func (s *Stream) Take(n int) { s.taken += n }

// Feed unpacks input until it is used up, a member has ended, or the text has most bytes,
// or a few more. more says that it is to be called again with the rest of the input, which
// may be empty, once text has been taken. After ErrData the stream is of no use.
func (s *Stream) Feed(p []byte, most int) (rest []byte, more bool, err error) {
	s.slide()
	full := s.taken + most
	for more = true; more && len(s.buf) < full; {
		behind := s.ended
		if p, more, err = s.advance(p, full); err != nil {
			return nil, false, err
		}
		if s.ended && !behind {
			more = s.bits > 0 || len(p) > 0
			break
		}
	}
	s.account()
	return p, more, nil
}

// slide drops text that no match can reach any more.
func (s *Stream) slide() {
	drop := s.taken - window
	if drop < window {
		return
	}
	s.account()
	s.buf = s.buf[:copy(s.buf, s.buf[drop:])]
	s.taken -= drop
	s.summed -= drop
	s.begin = max(s.begin-drop, 0)
}

// account adds new text to the check of the member.
func (s *Stream) account() {
	s.sum = crc32.Update(s.sum, crc32.IEEETable, s.buf[s.summed:])
	s.size += uint32(len(s.buf) - s.summed)
	s.summed = len(s.buf)
}

// fill takes bytes of the input into hold, as many as it has room for.
func (s *Stream) fill(p []byte) []byte {
	for s.bits <= 56 && len(p) > 0 {
		s.hold |= uint64(p[0]) << s.bits
		s.bits += 8
		p = p[1:]
	}
	return p
}

// drop uses up n bits.
func (s *Stream) drop(n uint) uint32 {
	v := uint32(s.hold & (1<<n - 1))
	s.hold >>= n
	s.bits -= n
	return v
}

// needs is how many bits a step begins with. Those with 0 look for themselves.
var needs = [...]uint{magic: 16, flags: 16, mtime: 32, system: 16, extraLength: 16, headCheck: 16,
	blockHead: 3, storedLength: 32, tableSizes: 14, codeSizes: 3, check: 32, length: 32}

// advance does the next step. more tells whether there may be another one with this
// input.
func (s *Stream) advance(p []byte, full int) (rest []byte, more bool, err error) {
	p = s.fill(p)
	if s.bits < needs[s.step] && !s.absent() {
		return p, false, nil
	}
	if s.step <= headCheck {
		more, err = s.headStep()
		return p, more, err
	}
	switch s.step {
	case blockHead:
		err = s.beginBlock()
	case storedLength:
		n := s.drop(32)
		if n&0xffff != n>>16^0xffff {
			return nil, false, ErrData
		}
		s.left, s.step = int(n&0xffff), stored
	case stored:
		p, more = s.copyStored(p, full)
		return p, more, nil
	case tableSizes:
		err = s.readSizes()
	case codeSizes:
		err = s.readCodeSize()
	case codeLengths:
		more, err = s.readLength()
		return p, more, err
	case symbols:
		return s.unpack(p, full)
	case check:
		s.account()
		if s.drop(32) != s.sum {
			return nil, false, ErrData
		}
		s.step = length
	case length:
		if s.drop(32) != s.size {
			return nil, false, ErrData
		}
		s.step, s.ended = magic, true
	}
	return p, true, err
}

// absent tells whether the next field of the head is one that this head does not have.
func (s *Stream) absent() bool {
	return s.step == extraLength && s.head&hasExtra == 0 || s.step == headCheck && s.head&hasCheck == 0
}

// Bits of head, as its 16 bits are read: the method, and then the flags.
const (
	deflate     = 8
	hasCheck    = 0x0200
	hasExtra    = 0x0400
	hasName     = 0x0800
	hasComment  = 0x1000
	unknownFlag = 0xe000
)

// headStep reads the next field of a member's head. The bits that it needs are there.
func (s *Stream) headStep() (more bool, err error) {
	switch s.step {
	case magic:
		s.headSum, s.ended = 0, false
		if s.headField(16) != 0x8b1f {
			return false, ErrData
		}
	case flags:
		if s.head = s.headField(16); s.head&0xff != deflate || s.head&unknownFlag != 0 {
			return false, ErrData
		}
	case mtime:
		s.headField(32)
	case system:
		s.headField(16)
	case extraLength:
		if s.head&hasExtra != 0 {
			s.left = int(s.headField(16))
		}
	case extra:
		if s.head&hasExtra == 0 || s.left == 0 {
			break
		}
		if s.bits < 8 {
			return false, nil
		}
		s.headField(8)
		s.left--
		return true, nil
	case name, comment:
		if s.step == name && s.head&hasName == 0 || s.step == comment && s.head&hasComment == 0 {
			break
		}
		if s.bits < 8 {
			return false, nil
		}
		if s.headField(8) != 0 {
			return true, nil
		}
	case headCheck:
		if want := s.headSum & 0xffff; s.head&hasCheck != 0 && s.drop(16) != want {
			return false, ErrData
		}
		s.begin, s.summed = len(s.buf), len(s.buf)
		s.sum, s.size = 0, 0
	}
	s.step++
	return true, nil
}

// headField reads a field of the head.
func (s *Stream) headField(n uint) uint32 {
	v := s.drop(n)
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	s.headSum = crc32.Update(s.headSum, crc32.IEEETable, b[:n/8])
	return v
}

// beginBlock reads the kind of a block.
func (s *Stream) beginBlock() error {
	s.last = s.drop(1) == 1
	switch s.drop(2) {
	case 0:
		s.drop(s.bits % 8)
		s.step = storedLength
	case 1:
		s.literals, s.distance = fixedLiterals, fixedDistance
		s.step = symbols
	case 2:
		s.step = tableSizes
	default:
		return ErrData
	}
	return nil
}

// endBlock goes on behind a block.
func (s *Stream) endBlock() {
	s.step = blockHead
	if s.last {
		s.drop(s.bits % 8)
		s.step = check
	}
}

// copyStored copies what is there of a stored block.
func (s *Stream) copyStored(p []byte, full int) (rest []byte, more bool) {
	for s.bits > 0 && s.left > 0 {
		s.buf = append(s.buf, byte(s.drop(8)))
		s.left--
	}
	n := min(s.left, len(p), max(full-len(s.buf), 0))
	s.buf = append(s.buf, p[:n]...)
	if s.left -= n; s.left > 0 {
		return p[n:], len(s.buf) >= full
	}
	s.endBlock()
	return p[n:], true
}
