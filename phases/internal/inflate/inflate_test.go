package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// unpack feeds a stream in pieces of n bytes and returns all of its text.
func unpack(s *Stream, packed []byte, n, most int) ([]byte, error) {
	var text []byte
	for len(packed) > 0 {
		p := packed[:min(n, len(packed))]
		packed = packed[len(p):]
		for more := true; more; {
			var err error
			if p, more, err = s.Feed(p, most); err != nil {
				return text, err
			}
			text = append(text, s.Text()...)
			s.Take(len(s.Text()))
		}
		if len(p) > 0 {
			return text, fmt.Errorf("%d bytes are left", len(p))
		}
	}
	return text, nil
}

// texts are of the kinds that come as different blocks.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 150_000)
	words := make([]byte, 0, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for len(words) < 250_000 {
		words = fmt.Appendf(words, "%d word%d ", r.IntN(10), r.IntN(5000)*r.IntN(3))
	}
	skewed := make([]byte, 100_000) // codes longer than those that are looked up
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	return map[string][]byte{
		"empty": nil, "short": []byte("hello, hello, hello"), "run": bytes.Repeat([]byte("a"), 100_000),
		"noise": noise, "words": words, "skewed": skewed,
	}
}

func TestRoundTrip(t *testing.T) {
	s := new(Stream)
	for name, text := range texts() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			var packed bytes.Buffer
			z, _ := gzip.NewWriterLevel(&packed, level)
			z.Name, z.Comment, z.Extra = "a name", "a comment", []byte("extra field")
			z.Write(text[:len(text)/2])
			z.Flush()
			z.Write(text[len(text)/2:])
			z.Close()
			for _, c := range []struct{ piece, most int }{{1 << 20, 4096}, {1, 100}, {7, 1 << 20}, {1000, 32 << 10}} {
				s.Reset()
				got, err := unpack(s, packed.Bytes(), c.piece, c.most)
				if err != nil || !bytes.Equal(got, text) || !s.Ended() {
					t.Fatalf("%s, level %d, pieces of %d: %d bytes of %d, %v, ended %v", name, level, c.piece, len(got), len(text), err, s.Ended())
				}
			}
		}
	}
}

// TestMembers: a stream may have several, and a match stays within its own.
func TestMembers(t *testing.T) {
	var packed bytes.Buffer
	for i := range 3 {
		z := gzip.NewWriter(&packed)
		fmt.Fprintf(z, "member %d;", i)
		z.Close()
	}
	for _, piece := range []int{1, 1000} {
		var s Stream
		got, err := unpack(&s, packed.Bytes(), piece, 1000)
		if want := "member 0;member 1;member 2;"; string(got) != want || err != nil || !s.Ended() {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestAtOnce: what the bits so far say is there, whether or not a block has ended.
func TestAtOnce(t *testing.T) {
	head := "\x1f\x8b\b\x00\x00\x00\x00\x00\x04\x03"
	// A block with the fixed codes: "abcabcabc" as four literals and a match.
	packed := head + "\x4b\x4c\x4a\x4e\x04\x23\x00"
	var s Stream
	var seen []string
	for _, b := range []byte(packed) {
		s.Feed([]byte{b}, 1000)
		seen = append(seen, string(s.Text()))
	}
	got := strings.Join(seen[len(head):], " ")
	if want := " a ab abc abca abcabcabc abcabcabc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDamaged(t *testing.T) {
	var whole bytes.Buffer
	z := gzip.NewWriter(&whole)
	z.Write([]byte("a text that is packed"))
	z.Close()
	with := func(at int, b byte) []byte {
		p := bytes.Clone(whole.Bytes())
		if at < 0 {
			at += len(p)
		}
		p[at] ^= b
		return p
	}
	raw := func(bits string) []byte {
		b, err := hex.DecodeString("1f8b0800000000000403" + bits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, packed := range map[string][]byte{
		"magic": with(0, 1), "method": with(2, 1), "flags": with(3, 0x80), "check": with(-8, 1), "size": with(-1, 1),
		"behind the end":      append(with(0, 0), "xx"...),
		"kind of block":       raw("07"),
		"stored length":       raw("010100ffff"),
		"too far back":        raw("4b044200"),
		"too many symbols":    raw("fdffff"),
		"no length of a code": raw("0500000000000000000000"),
	} {
		for _, piece := range []int{1, 1000} {
			var s Stream
			if _, err := unpack(&s, packed, piece, 1000); !errors.Is(err, ErrData) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for n := range whole.Len() {
		var s Stream
		if _, err := unpack(&s, whole.Bytes()[:n], 1000, 1000); err != nil || s.Ended() {
			t.Errorf("the first %d bytes: %v, ended %v", n, err, s.Ended())
		}
	}
}

// FuzzFeed compares with compress/gzip, and pieces with the whole.
func FuzzFeed(f *testing.F) {
	for _, text := range texts() {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(text[:min(len(text), 2000)])
		z.Close()
		f.Add(packed.Bytes())
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		var whole, pieces Stream
		text, err := unpack(&whole, packed, 1<<30, 1<<16)
		_, errPieces := unpack(&pieces, packed, 1, 1000)
		if (err == nil) != (errPieces == nil) || err == nil && whole.Ended() != pieces.Ended() {
			t.Fatalf("whole: %v, in pieces: %v", err, errPieces)
		}
		z, zErr := gzip.NewReader(bytes.NewReader(packed))
		var want bytes.Buffer
		if zErr == nil {
			_, zErr = want.ReadFrom(z)
		}
		if zErr == nil && (err != nil || !whole.Ended() || !bytes.Equal(text, want.Bytes())) {
			t.Fatalf("%v, ended %v, %d bytes of %d", err, whole.Ended(), len(text), want.Len())
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	text := texts()["words"]
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Close()
	b.SetBytes(int64(len(text)))
	var s Stream
	for b.Loop() {
		s.Reset()
		for p, more := packed.Bytes(), true; more; {
			p, more, _ = s.Feed(p, 32<<10)
			s.Take(len(s.Text()))
		}
	}
}
