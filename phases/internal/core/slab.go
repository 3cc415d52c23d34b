package core

import "math/bits"

// Slab counts what fits into the memory of a zone as nginx divides it: pages, each
// of which is cut into chunks of one power of two (ngx_slab.c). It is the memory of
// whoever holds the lock of the zone's data.
type Slab struct {
	pages int                // that nothing uses
	free  [slabClasses]int64 // chunks that nothing uses, by the logarithm of their size
}

const (
	slabPage    = 4096 // bytes
	slabEntry   = 24   // of the table of pages, for each
	slabHead    = 704  // the pool itself, its classes and statistics
	slabMin     = 3    // logarithm of the smallest chunk
	slabClasses = 12   // logarithm of a page; what is above half of one takes pages
)

// NewSlab is the memory of a zone of that many bytes.
func NewSlab(size int64) *Slab {
	return &Slab{pages: int(min((size-slabHead)/(slabPage+slabEntry), size/slabPage-1))}
}

// slabClass is the logarithm of the chunk that n bytes take.
func slabClass(n int) int { return max(bits.Len(uint(n-1)), slabMin) }

// slabChunks is how many chunks of a class a page has. Small ones begin with a map of
// which are in use.
func slabChunks(class int) int64 {
	n := int64(slabPage >> class)
	if class < 6 {
		n -= max(n/(8<<class), 1)
	}
	return n
}

// Alloc takes n bytes, if they are there.
func (s *Slab) Alloc(n int) bool {
	class := slabClass(n)
	if class >= slabClasses {
		pages := (n + slabPage - 1) / slabPage
		if s.pages < pages {
			return false
		}
		s.pages -= pages
		return true
	}
	if s.free[class] == 0 {
		if s.pages == 0 {
			return false
		}
		s.pages--
		s.free[class] = slabChunks(class)
	}
	s.free[class]--
	return true
}

// Free gives n bytes back.
func (s *Slab) Free(n int) {
	class := slabClass(n)
	if class >= slabClasses {
		s.pages += (n + slabPage - 1) / slabPage
		return
	}
	s.free[class]++
	if chunks := slabChunks(class); s.free[class] >= chunks {
		s.free[class] -= chunks
		s.pages++
	}
}
