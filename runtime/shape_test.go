package runtime

import (
	"fmt"
	"sync"
	"testing"
)

// TestManyShapes makes more constructors of different first keys, more new fields and
// more fields of one table than any cache has room for, in two states at once.
func TestManyShapes(t *testing.T) {
	const n = 5000
	made := make([]*Shape, n)
	for i := range made {
		made[i] = NewShape(fmt.Sprintf("first%d", i), "second")
	}
	var sites, grown [n]*Site
	for i := range n {
		sites[i], grown[i] = NewSite(fmt.Sprintf("first%d", i)), NewSite(fmt.Sprintf("grown%d", i))
	}
	second := NewSite("second")
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			th := NewState(Options{}).NewThread()
			big := TableValue(NewTable(0, 0))
			for round := range 3 {
				for i := range n {
					v := Int(i + round)
					r := NewRecord(made[i], v, True)
					if Field(th, r, sites[i], "") != v || Field(th, r, second, "") != True || !Field(th, r, grown[i], "").IsNil() {
						t.Errorf("record %d of round %d", i, round)
					}
					o := TableValue(NewTable(0, 0))
					SetField(th, o, grown[i], v, "")
					SetField(th, o, second, v, "")
					SetField(th, big, sites[i], v, "")
					if o.Table().GetStr(grown[i].Key) != v || Field(th, o, grown[i], "") != v || Field(th, o, second, "") != v {
						t.Errorf("object %d of round %d", i, round)
					}
				}
				for i := range n {
					if Field(th, big, sites[i], "") != Int(i+round) {
						t.Errorf("field %d of round %d", i, round)
					}
				}
			}
		})
	}
	workers.Wait()
}

// TestShapesRunOut fills the registry: fields that get no shape go to the hash part,
// constructors still have theirs.
func TestShapesRunOut(t *testing.T) {
	shapes.mu.Lock()
	made := shapes.made
	shapes.made = maxShapes
	shapes.mu.Unlock()
	defer func() {
		shapes.mu.Lock()
		shapes.made = made
		shapes.mu.Unlock()
	}()
	th := testState.NewThread()
	site, late := NewSite("out1"), NewSite("out2")
	r := NewRecord(NewShape("out1"), Int(1))
	for range 3 {
		SetField(th, r, late, Int(2), "")
		SetField(th, r, site, Int(3), "")
		if Field(th, r, site, "") != Int(3) || Field(th, r, late, "") != Int(2) {
			t.Fatal("a field without a shape is lost")
		}
	}
	if r.Table().hash == nil {
		t.Error("a shape was made")
	}
	SetField(th, r, late, Nil, "")
	if k, _, _ := r.Table().Next(String("out1")); !k.IsNil() {
		t.Errorf("key %s is left", Describe(k))
	}
}

// TestCloneMakesNoShapes clones tables of data.
func TestCloneMakesNoShapes(t *testing.T) {
	before := shapes.made
	for i := range 100 {
		d := NewTable(0, 0)
		d.Set(String(fmt.Sprintf("datum%d", i)), True)
		d.Set(Int(-1), False)
		c := d.clone()
		if c.GetStr(fmt.Sprintf("datum%d", i)) != True || c.Int(-1) != False {
			t.Fatal("entry lost")
		}
	}
	if shapes.made != before {
		t.Errorf("%d shapes were made of data", shapes.made-before)
	}
}
