package runtime

import (
	"math"
	"slices"
)

// table.sort is the quicksort of Lua 5.1, step for step: the order in which a
// comparison function sees its pairs, and where "invalid order function for
// sorting" is noticed, can be observed. Without such a function nothing of it
// shows, and numbers or strings are sorted as Go sorts them.

func tableSort(th *Thread, args []Value) (Value, int) {
	t := th.CheckTable(args, 0)
	s := sorter{th: th}
	if !isAbsent(args, 1) {
		s.less = th.CheckFunction(args, 1).Func()
	}
	n := t.Len()
	if n < 2 {
		return Nil, 0
	}
	if n > len(t.arr) { // not in the array part: sort a copy
		s.a = make([]Value, n)
		for i := range s.a {
			s.a[i] = t.Int(i + 1)
		}
		defer func() {
			for i, v := range s.a {
				t.SetInt(i+1, v)
			}
		}()
	} else {
		s.a = t.arr[:n]
	}
	if s.less == nil && (sortNumbers(s.a) || sortStrings(s.a)) {
		return Nil, 0
	}
	s.sort(0, n-1)
	return Nil, 0
}

// sortNumbers sorts a when it holds numbers only, none of them NaN or -0, whose
// place depends on the algorithm.
func sortNumbers(a []Value) bool {
	for _, v := range a {
		if !v.IsNumber() {
			return false
		}
		if f := v.Num(); f != f || f == 0 && math.Signbit(f) {
			return false
		}
	}
	nums := make([]float64, len(a))
	for i, v := range a {
		nums[i] = v.Num()
	}
	slices.Sort(nums)
	for i, f := range nums {
		a[i] = Number(f)
	}
	return true
}

// sortStrings sorts a when it holds strings only.
func sortStrings(a []Value) bool {
	for _, v := range a {
		if !v.IsString() {
			return false
		}
	}
	strs := make([]string, len(a))
	for i, v := range a {
		strs[i] = v.Str()
	}
	slices.Sort(strs)
	for i, s := range strs {
		a[i] = String(s)
	}
	return true
}

// sorter sorts a with a comparison function, or with < when less is nil.
type sorter struct {
	th   *Thread
	less *Function
	a    []Value
}

func (s *sorter) lt(x, y Value) bool {
	if s.less == nil {
		return Lt(s.th, x, y)
	}
	v, n := s.less.fn(s.th, 2, x, y, Nil)
	if n < 0 {
		v, _ = s.th.runTail()
	}
	return v.Truthy()
}

func (s *sorter) swap(i, j int) { s.a[i], s.a[j] = s.a[j], s.a[i] }

// sort sorts the range from lo to up, both included.
func (s *sorter) sort(lo, up int) {
	for lo < up {
		if s.lt(s.a[up], s.a[lo]) {
			s.swap(lo, up)
		}
		if up-lo == 1 {
			return
		}
		mid := int(uint(lo+up) / 2)
		if s.lt(s.a[mid], s.a[lo]) {
			s.swap(mid, lo)
		} else if s.lt(s.a[up], s.a[mid]) {
			s.swap(mid, up)
		}
		if up-lo == 2 {
			return
		}
		p := s.partition(lo, up, mid)
		// Recurse into the smaller part, go on with the bigger one.
		if p-lo < up-p {
			s.sort(lo, p-1)
			lo = p + 1
		} else {
			s.sort(p+1, up)
			up = p - 1
		}
	}
}

// partition moves what is less than the item at mid before it and the rest behind
// it, and returns its place. The ends are known to be in order with it.
func (s *sorter) partition(lo, up, mid int) int {
	pivot := s.a[mid]
	s.swap(mid, up-1)
	i, j := lo, up-1
	for {
		for i++; s.lt(s.a[i], pivot); i++ {
			if i >= up {
				s.invalid()
			}
		}
		for j--; s.lt(pivot, s.a[j]); j-- {
			if j <= lo {
				s.invalid()
			}
		}
		if j < i {
			s.swap(up-1, i)
			return i
		}
		s.swap(i, j)
	}
}

func (s *sorter) invalid() { s.th.Errorf("invalid order function for sorting") }
