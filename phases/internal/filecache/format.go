package filecache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Meta is what a file says of its response.
type Meta struct {
	Valid        int64 // until when it may be served, seconds of Unix
	Updating     int64 // seconds behind that in which it may be served while it is asked for anew
	Error        int64 // likewise, when that fails
	LastModified int64 // -1: not known
	Date         int64 // when it came, or was last found to be as it was
	ETag         string
	Vary         string // on which headers of a request it hangs
	Head         string // of the response, in whatever form who stored it reads
	Length       int64  // of the body, bytes
	BodyStart    int64  // in the file
}

// A file begins with fields of fixed size, which a revalidation writes anew, in the order of
// bytes of the network:
//
//	 0  magic                     8
//	 8  CRC-32 of what follows up to fixedSize
//	12  CRC-32 of fixedSize to BodyStart
//	16  BodyStart                 4
//	20  length of the key         4
//	24  of ETag                   2
//	26  of Vary                   2
//	28  unused                    4
//	32  Length, Valid, Updating, Error, LastModified, Date  8 each
//	80  variant                  16
//	96  "\nKEY: ", the key, "\n", ETag, Vary, Head; then the body
const (
	magic     = "moonch\x00\x01"
	fixedSize = 96
	keyMark   = "\nKEY: "
)

// maxHead is how long all that stands before a body may be, in bytes.
const maxHead = 1 << 20

// record is a file's content before its body.
type record struct {
	Meta
	key     string
	variant Key
}

// headSize is the length of what precedes the body.
func (r *record) headSize() int {
	return fixedSize + len(keyMark) + len(r.key) + 1 + len(r.ETag) + len(r.Vary) + len(r.Head)
}

// encode is all that precedes the body.
func (r *record) encode() []byte {
	b := make([]byte, fixedSize, r.headSize())
	b = append(b, keyMark...)
	b = append(b, r.key...)
	b = append(b, '\n')
	b = append(b, r.ETag...)
	b = append(b, r.Vary...)
	b = append(b, r.Head...)
	r.BodyStart = int64(len(b))
	r.encodeFixed(b[:fixedSize], crc32.ChecksumIEEE(b[fixedSize:]))
	return b
}

// encodeFixed writes the fields of fixed size into b.
func (r *record) encodeFixed(b []byte, rest uint32) {
	copy(b, magic)
	be := binary.BigEndian
	be.PutUint32(b[12:], rest)
	be.PutUint32(b[16:], uint32(r.BodyStart))
	be.PutUint32(b[20:], uint32(len(r.key)))
	be.PutUint16(b[24:], uint16(len(r.ETag)))
	be.PutUint16(b[26:], uint16(len(r.Vary)))
	for i, v := range []int64{r.Length, r.Valid, r.Updating, r.Error, r.LastModified, r.Date} {
		be.PutUint64(b[32+8*i:], uint64(v))
	}
	copy(b[80:], r.variant[:])
	be.PutUint32(b[8:], crc32.ChecksumIEEE(b[12:fixedSize]))
}

// What is wrong with a file, in the words of log lines.
var (
	errSmall   = errors.New("is too small")
	errVersion = errors.New("version mismatch")
	errSum     = errors.New("is damaged")
	errLong    = errors.New("has too long header")
	errLength  = errors.New("is not as long as it should be")
)

// readRecord reads what precedes the body of a file of size bytes; guess is how long that
// may be. One that does not add up is an error.
func readRecord(f io.ReaderAt, size int64, guess int) (*record, error) {
	if size < fixedSize {
		return nil, errSmall
	}
	b := make([]byte, min(size, int64(max(guess, defaultBlock))))
	if err := readFull(f, b, 0); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	if string(b[:8]) != magic {
		return nil, errVersion
	}
	if be.Uint32(b[8:]) != crc32.ChecksumIEEE(b[12:fixedSize]) {
		return nil, errSum
	}
	start, key, etag, vary := int64(be.Uint32(b[16:])), int64(be.Uint32(b[20:])), int64(be.Uint16(b[24:])), int64(be.Uint16(b[26:]))
	text := fixedSize + int64(len(keyMark))
	switch {
	case start > maxHead:
		return nil, errLong
	case start > size, text+key+1+etag+vary > start:
		return nil, errLength
	case start > int64(len(b)):
		rest := make([]byte, start-int64(len(b)))
		if err := readFull(f, rest, int64(len(b))); err != nil {
			return nil, err
		}
		b = append(b, rest...)
	}
	if be.Uint32(b[12:]) != crc32.ChecksumIEEE(b[fixedSize:start]) {
		return nil, errSum
	}
	all := string(b[text:start])
	r := &record{key: all[:key]}
	all = all[key+1:]
	r.ETag, r.Vary, r.Head = all[:etag], all[etag:etag+vary], all[etag+vary:]
	for i, v := range []*int64{&r.Length, &r.Valid, &r.Updating, &r.Error, &r.LastModified, &r.Date} {
		*v = int64(be.Uint64(b[32+8*i:]))
	}
	copy(r.variant[:], b[80:])
	if r.BodyStart = start; r.Length < 0 || size-start != r.Length {
		return nil, errLength
	}
	return r, nil
}

// readFull fills b from offset at.
func readFull(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return err
}
