package http1

import "io"

// body is the state of reading one request's body.
type body struct {
	left    int64 // bytes of a body that is not chunked still to come
	chunked bool
	chunks  Chunked
	done    bool
	taken   int64 // bytes consumed, the syntax of chunks included
}

// init prepares for the body that h announces.
func (b *body) init(h *Head) {
	*b = body{chunked: h.Chunked}
	if !h.Chunked {
		b.left = max(h.ContentLength, 0)
		b.done = b.left == 0
	}
}

// BodyDone reports whether the whole body has been read.
func (rd *Reader) BodyDone() bool { return rd.body.done }

// BodyLeft is the number of body bytes that are still to come, -1 when the
// length is not known.
func (rd *Reader) BodyLeft() int64 {
	if rd.body.chunked && !rd.body.done {
		return -1
	}
	return rd.body.left
}

// BodyTaken is the number of bytes read of the body as it came over the wire.
func (rd *Reader) BodyTaken() int64 { return rd.body.taken }

// SkipBody throws away what has been read ahead of the body, without waiting for
// more. The error is ErrBadChunk.
func (rd *Reader) SkipBody() error {
	for b := &rd.body; !b.done && rd.start < rd.end; {
		left, err := rd.bodyNext()
		if err != nil {
			return err
		}
		n := min(int64(rd.end-rd.start), left)
		rd.start += int(n)
		b.passed(n)
	}
	return nil
}

// BodyAhead reports whether nothing of the body need be waited for: all that is left
// of it has been read ahead, or what has is malformed.
func (rd *Reader) BodyAhead() bool {
	b, ahead := rd.body, rd.Buffered()
	if !b.chunked {
		return int64(len(ahead)) >= b.left
	}
	for {
		n, err := b.chunks.Parse(ahead)
		ahead = ahead[n:]
		data := b.chunks.Data()
		if err != nil || b.chunks.Done() || data > int64(len(ahead)) || len(ahead) == 0 {
			return err != nil || b.chunks.Done()
		}
		ahead = ahead[data:]
		b.chunks.Took(data)
	}
}

// bodyNext gives the number of bytes of data that come next, behind the syntax
// between chunks as far as that was read ahead; 0 where there is more of it.
func (rd *Reader) bodyNext() (int64, error) {
	b := &rd.body
	if !b.chunked {
		return b.left, nil
	}
	n, err := b.chunks.Parse(rd.Buffered())
	rd.start += n
	b.taken += int64(n)
	b.done = b.chunks.Done()
	return b.chunks.Data(), err
}

// passed notes that n bytes of data were read.
func (b *body) passed(n int64) {
	b.taken += n
	if b.chunked {
		b.chunks.Took(n)
		return
	}
	b.left -= n
	b.done = b.left <= 0
}

// ChunkLeft is how much of the current chunk of the body is still to come.
func (rd *Reader) ChunkLeft() int64 {
	if !rd.body.chunked {
		return 0
	}
	return rd.body.chunks.Data()
}

// ReadBody reads the next bytes of the body, transfer coding removed. It returns
// io.EOF at the body's end, ErrBadChunk, ErrTimeout, io.ErrUnexpectedEOF when the
// client went away early, or a network error.
func (rd *Reader) ReadBody(p []byte) (int, error) {
	b := &rd.body
	for {
		if b.done {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		left, err := rd.bodyNext()
		switch {
		case err != nil:
			return 0, err
		case b.done:
			continue
		case left == 0:
			if err := rd.more(rd.BodyTimeout); err != nil {
				return 0, err
			}
			continue
		}
		n, err := rd.bodyBytes(p[:min(int64(len(p)), left)])
		b.passed(int64(n))
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// bodyBytes fills p from the bytes read ahead, else from the connection.
func (rd *Reader) bodyBytes(p []byte) (int, error) {
	if rd.start < rd.end {
		n := copy(p, rd.Buffered())
		rd.start += n
		return n, nil
	}
	if len(p) < len(rd.buf)/2 {
		if err := rd.more(rd.BodyTimeout); err != nil {
			return 0, err
		}
		return rd.bodyBytes(p)
	}
	rd.deadline.Extend(rd.BodyTimeout)
	n, err := rd.conn.Read(p)
	switch {
	case n > 0:
		return n, nil
	case err == io.EOF:
		return 0, io.ErrUnexpectedEOF
	case rd.timedOut(err):
		return 0, ErrTimeout
	}
	return 0, err
}
