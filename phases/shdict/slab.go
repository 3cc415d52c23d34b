package shdict

import "math/bits"

// slab does the book-keeping of nginx's slab allocator without any memory
// behind it: which sizes fit into a zone, and when a zone is full, is visible
// to scripts (free_space, forcible eviction, "no memory"), so it has to come out
// as in src/core/ngx_slab.c. Chunks up to half a page share pages by power of
// two; larger ones take whole pages in a row.
type slab struct {
	pages    []page
	free     int // head of the list of free runs, -1 at the end
	freeSize int // pages in free runs
	slots    [maxShift + 1]int
}

const (
	pageSize  = 4096
	pageShift = 12
	minShift  = 3
	maxShift  = pageShift - 1
	exact     = 6 // chunks of 64 bytes: one bit each fills a word

	// Sizes of nginx's structures on 64-bit systems.
	poolHeader  = 200
	slotHeader  = 24
	slotStats   = 32
	pageHeader  = 24
	zoneContext = 80 // what a dict allocates for itself
)

type pageKind uint8

const (
	pageFree  pageKind = iota // first page of a free run
	pageInner                 // inside a run, free or not
	pageRun                   // first page of a large chunk
	pageChunks
)

// page is a page, or stands for a run of them when it is the first.
type page struct {
	kind       pageKind
	shift      uint8 // pageChunks: log2 of the chunk size
	listed     bool  // on the free list, or the slot list of its shift
	run        int   // pageFree, pageRun: pages in the run
	head       int   // pageInner at the end of a free run: its first page
	used       int   // pageChunks: chunks taken
	next, prev int   // list links, -1 at the ends
}

// newSlab lays out a zone of size bytes.
func newSlab(size int64) *slab {
	s := &slab{free: -1}
	for i := range s.slots {
		s.slots[i] = -1
	}
	rest := size - poolHeader - (maxShift-minShift+1)*(slotHeader+slotStats)
	if rest < 0 {
		return s
	}
	n := rest / (pageSize + pageHeader)
	start := (size - rest + n*pageHeader + pageSize - 1) &^ (pageSize - 1)
	n = min(n, (size-start)/pageSize)
	if n <= 0 {
		return s
	}
	s.pages = make([]page, n)
	s.addFree(0, int(n))
	return s
}

// addFree puts the run at p at the head of the free list.
func (s *slab) addFree(p, n int) {
	s.freeSize += n
	s.setRun(p, n)
	s.push(&s.free, p)
}

// setRun writes the marks of a free run.
func (s *slab) setRun(p, n int) {
	s.pages[p] = page{kind: pageFree, run: n, next: -1, prev: -1}
	if n > 1 {
		s.pages[p+n-1] = page{kind: pageInner, head: p}
	}
}

func (s *slab) push(list *int, p int) {
	pg := &s.pages[p]
	pg.next, pg.prev, pg.listed = *list, -1, true
	if *list >= 0 {
		s.pages[*list].prev = p
	}
	*list = p
}

func (s *slab) unlink(list *int, p int) {
	pg := &s.pages[p]
	if pg.prev >= 0 {
		s.pages[pg.prev].next = pg.next
	} else {
		*list = pg.next
	}
	if pg.next >= 0 {
		s.pages[pg.next].prev = pg.prev
	}
	pg.listed = false
}

// alloc takes size bytes and gives a handle for release, or -1.
func (s *slab) alloc(size int) int {
	if size > pageSize/2 {
		return s.allocPages((size + pageSize - 1) >> pageShift)
	}
	shift := minShift
	if size > 1<<minShift {
		shift = bits.Len(uint(size - 1))
	}
	p := s.slots[shift]
	if p < 0 {
		if p = s.allocPages(1); p < 0 {
			return -1
		}
		s.pages[p] = page{kind: pageChunks, shift: uint8(shift)}
		s.push(&s.slots[shift], p)
	}
	pg := &s.pages[p]
	if pg.used++; pg.used == chunksPerPage(shift) {
		s.unlink(&s.slots[shift], p)
	}
	return p
}

// chunksPerPage is the number of chunks a page holds; small ones keep their
// bitmap in the page itself.
func chunksPerPage(shift int) int {
	n := pageSize >> shift
	if shift < exact {
		n -= max(1, n/(8<<shift))
	}
	return n
}

func (s *slab) allocPages(n int) int {
	for p := s.free; p >= 0; p = s.pages[p].next {
		if s.pages[p].run < n {
			continue
		}
		s.take(p, n)
		return p
	}
	return -1
}

// take uses the first n pages of the free run at p; the rest keeps the run's
// place on the list.
func (s *slab) take(p, n int) {
	pg := s.pages[p]
	s.freeSize -= n
	if pg.run > n {
		rest := p + n
		s.setRun(rest, pg.run-n)
		r := &s.pages[rest]
		r.next, r.prev, r.listed = pg.next, pg.prev, true
		if pg.next >= 0 {
			s.pages[pg.next].prev = rest
		}
		if pg.prev >= 0 {
			s.pages[pg.prev].next = rest
		} else {
			s.free = rest
		}
	} else {
		s.unlink(&s.free, p)
	}
	s.pages[p] = page{kind: pageRun, run: n}
	for i := p + 1; i < p+n; i++ {
		s.pages[i] = page{kind: pageInner, head: -1}
	}
}

// release gives back what alloc returned.
func (s *slab) release(p int) {
	pg := &s.pages[p]
	if pg.kind == pageRun {
		s.freePages(p, pg.run)
		return
	}
	shift := int(pg.shift)
	if !pg.listed {
		s.push(&s.slots[shift], p)
	}
	if pg.used--; pg.used == 0 {
		s.unlink(&s.slots[shift], p)
		s.freePages(p, 1)
	}
}

// freePages joins the run with free neighbours.
func (s *slab) freePages(p, n int) {
	total := n
	if next := p + n; next < len(s.pages) && s.pages[next].kind == pageFree {
		total += s.pages[next].run
		s.freeSize -= s.pages[next].run
		s.unlink(&s.free, next)
		s.pages[next].kind = pageInner
	}
	if p > 0 {
		prev := p - 1
		if s.pages[prev].kind == pageInner && s.pages[prev].head >= 0 {
			prev = s.pages[prev].head
		}
		if pg := s.pages[prev]; pg.kind == pageFree && prev+pg.run == p {
			s.unlink(&s.free, prev)
			s.freeSize -= pg.run
			total += pg.run
			p = prev
		}
	}
	s.addFree(p, total)
}
