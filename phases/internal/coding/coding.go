// Package coding has what the modules of content codings share: gzip and brotli compress
// answers in one way, gzip_static and brotli_static find packed files in one way.
package coding

import (
	"fmt"
	"io"
	"sync"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// Encoder compresses one body after the other.
type Encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer) // begins a body, whose coded bytes go to w
}

// SetPower stores a size that is a power of two, from low to high bytes; must is the end
// of the error for another one.
func SetPower(low, high int64, must string, field func(c *core.Compiler) *core.Opt[int64]) core.Setter {
	set := core.SetSize(field)
	return func(c *core.Compiler, d *conf.Directive) error {
		err := set(c, d)
		if n := field(c).V; err == nil && (n < low || n > high || n&(n-1) != 0) {
			err = core.DirectiveError(must)
		}
		return err
	}
}

// Compressible judges the head of an answer: whether the coding is for its status, type
// and length, of at least so many bytes. That it would be is what Vary tells, whatever
// this client takes. The head of a subrequest is judged too, for its Vary does not count.
func Compressible(r *core.Request, minLength int64, types core.TypeSet) bool {
	o := &r.Out
	switch {
	case o.Status != 200 && o.Status != 403 && o.Status != 404,
		o.ContentLength >= 0 && o.ContentLength < minLength,
		!types.Has(o.ContentType),
		r.HeaderOnly:
		return false
	}
	if coding, _ := o.Headers.Get("Content-Encoding"); coding != "" {
		return false
	}
	r.VaryEncoding = true
	return true
}

// Body is a main request's body that is compressed. The zero Body takes none.
type Body struct {
	encoder Encoder
	spare   *sync.Pool // where the encoder comes from

	out     *core.Request
	next    core.Next // behind the coding, for what it makes
	buf     []byte    // coded and not yet framed
	in      int64     // bytes before and behind the coding, for Ratio
	written int64
}

// Begin makes the answer one in the coding called name. spare has Encoders.
func (b *Body) Begin(r *core.Request, name string, spare *sync.Pool) {
	b.out, b.spare = r, spare
	b.encoder = spare.Get().(Encoder)
	b.encoder.Reset(b)
	o := &r.Out
	o.Headers.Add("Content-Encoding", name)
	o.ClearLength()
	o.ClearRanges()
	o.WeakenTag()
}

// Release forgets the answer and hands the encoder back.
func (b *Body) Release() {
	if b.encoder != nil {
		b.encoder.Reset(io.Discard)
		b.spare.Put(b.encoder)
	}
	*b = Body{buf: b.buf[:0]}
}

// enough is how much is coded before it is passed on, in bytes.
const enough = 4 << 10

// Write collects coded bytes and takes them to the framing. It is for the encoder.
func (b *Body) Write(p []byte) (int, error) {
	b.written += int64(len(p))
	b.buf = append(b.buf, p...)
	if len(b.buf) >= enough && b.pass(core.Recycled) != core.OK {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// pass frames what was collected.
func (b *Body) pass(flags int) int {
	p := b.buf
	b.buf = b.buf[:0]
	return b.next.Pass(b.out, p, flags)
}

// Filter compresses a piece of the body: a core.BodyFilter.
func (b *Body) Filter(r *core.Request, p []byte, flags int, next core.Next) int {
	if b == nil || b.encoder == nil {
		return next.Pass(r, p, flags)
	}
	b.next = next
	b.in += int64(len(p))
	_, err := b.encoder.Write(p)
	switch {
	case err != nil:
	case flags&core.Last != 0:
		err = b.encoder.Close()
	case flags&core.Flush != 0:
		err = b.encoder.Flush()
	default:
		return core.OK
	}
	if err != nil {
		return core.Error
	}
	return b.pass(flags)
}

// Ratio is the size of a body that has ended by what was sent of it, with two decimals:
// $gzip_ratio and $brotli_ratio.
func (b *Body) Ratio() (string, bool) {
	if b == nil || b.written == 0 || !b.out.OutputEnded {
		return "", false
	}
	whole, rest := b.in/b.written, b.in*100/b.written%100
	if b.in*1000/b.written%10 > 4 {
		if rest++; rest > 99 {
			whole, rest = whole+1, 0
		}
	}
	return fmt.Sprintf("%d.%02d", whole, rest), true
}
