// Package slab counts what fits into a zone of shared memory as nginx divides it
// (ngx_slab.c).
package slab

import "math/bits"

// Memory counts what fits into the memory of a zone as nginx divides it: pages, each
// of which is cut into chunks of one power of two (ngx_slab.c). It is the memory of
// whoever holds the lock of the zone's data.
type Memory struct {
	pages int            // that nothing uses
	free  [classes]int64 // chunks that nothing uses, by the logarithm of their size
}

const (
	pageSize  = 4096 // bytes
	pageEntry = 24   // of the table of pages, for each
	poolHead  = 704  // the pool itself, its classes and statistics
	minClass  = 3    // logarithm of the smallest chunk
	classes   = 12   // logarithm of a page; what is above half of one takes pages
)

// New is the memory of a zone of that many bytes.
func New(size int64) *Memory {
	return &Memory{pages: int(min((size-poolHead)/(pageSize+pageEntry), size/pageSize-1))}
}

// classOf is the logarithm of the chunk that n bytes take.
func classOf(n int) int { return max(bits.Len(uint(n-1)), minClass) }

// chunksOf is how many chunks of a class a page has. Small ones begin with a map of
// which are in use.
func chunksOf(class int) int64 {
	n := int64(pageSize >> class)
	if class < 6 {
		n -= max(n/(8<<class), 1)
	}
	return n
}

// Alloc takes n bytes, if they are there.
func (s *Memory) Alloc(n int) bool {
	class := classOf(n)
	if class >= classes {
		pages := (n + pageSize - 1) / pageSize
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
		s.free[class] = chunksOf(class)
	}
	s.free[class]--
	return true
}

// Free gives n bytes back.
func (s *Memory) Free(n int) {
	class := classOf(n)
	if class >= classes {
		s.pages += (n + pageSize - 1) / pageSize
		return
	}
	s.free[class]++
	if chunks := chunksOf(class); s.free[class] >= chunks {
		s.free[class] -= chunks
		s.pages++
	}
}
