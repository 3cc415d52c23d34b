package upstream

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Trailed is the Decoder of a body whose length is known and behind which a text stands,
// as in memcached's protocol. Another text is logged, and the connection is not kept then.
type Trailed struct {
	X       *Exchange
	Left    int64  // of the body
	Trailer string // still to come
	Wrong   string // what log lines say of another one

	done bool
}

// Parse takes the trailer from b, which must not go on behind it.
func (t *Trailed) Parse(b []byte) (int, error) {
	if t.Left > 0 || len(b) == 0 {
		return 0, nil
	}
	rest, ok := strings.CutPrefix(t.Trailer, string(b))
	if !ok {
		t.X.R.Log(errlog.Err, t.Wrong)
		t.X.In.Head.Close = true
	}
	t.Trailer = rest
	t.done = !ok || rest == ""
	return len(b), nil
}

// Data is how many bytes of the body come next.
func (t *Trailed) Data() int64 { return t.Left }

// Took says that n of those were taken.
func (t *Trailed) Took(n int64) { t.Left -= n }

// Need is what must still come.
func (t *Trailed) Need() int64 { return t.Left + int64(len(t.Trailer)) }

// Done reports whether the trailer was read.
func (t *Trailed) Done() bool { return t.done }
