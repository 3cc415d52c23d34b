package core

import "math/bits"

// Note is what a module keeps for a request (r->ctx[]). Its memory stays with the
// pooled Request, so that a request that was served before costs no allocation.
type Note[T any] struct {
	i     int
	reset func(*T) // makes a used value new again, keeping its buffers; nil zeroes it
}

// noteResets are the resets of all notes. Notes are package variables, so the list
// is complete before main begins.
var noteResets []func(any)

// maxNotes is what the mask of notes in use holds.
const maxNotes = 32

// NewNote makes a place in every request.
func NewNote[T any](reset func(*T)) *Note[T] {
	if len(noteResets) == maxNotes {
		panic("too many modules keep notes for a request")
	}
	if reset == nil {
		reset = func(v *T) {
			var zero T
			*v = zero
		}
	}
	noteResets = append(noteResets, func(v any) { reset(v.(*T)) })
	return &Note[T]{len(noteResets) - 1, reset}
}

// Get is the request's note, nil when there is none.
func (n *Note[T]) Get(r *Request) *T {
	if r.noted&(1<<n.i) == 0 {
		return nil
	}
	return r.notes[n.i].(*T)
}

// Of is the request's note, a new one when there was none.
func (n *Note[T]) Of(r *Request) *T {
	if r.noted&(1<<n.i) != 0 {
		return r.notes[n.i].(*T)
	}
	return n.make(r)
}

// make begins a note.
func (n *Note[T]) make(r *Request) *T {
	if r.notes == nil {
		r.notes = make([]any, len(noteResets))
	}
	r.noted |= 1 << n.i
	if v, ok := r.notes[n.i].(*T); ok {
		return v
	}
	v := new(T)
	r.notes[n.i] = v
	return v
}

// Drop forgets the note.
func (n *Note[T]) Drop(r *Request) {
	if r.noted&(1<<n.i) != 0 {
		r.noted &^= 1 << n.i
		n.reset(r.notes[n.i].(*T))
	}
}

// dropNotes forgets all notes.
func (r *Request) dropNotes() {
	for left := r.noted; left != 0; left &= left - 1 {
		i := bits.TrailingZeros32(left)
		noteResets[i](r.notes[i])
	}
	r.noted = 0
}
