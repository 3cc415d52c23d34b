// Package ngxsemaphore is the module ngx.semaphore.
package ngxsemaphore

import (
	"slices"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// semaphore counts resources that the light threads of a worker share. Its waiters
// are served in order. The worker's baton guards it.
type semaphore struct {
	resources int
	waiters   []*rt.Parking
}

// Module makes the module; version is that of lua-resty-core.
func Module(version string) *rt.Table {
	methods := lib.Functions{{"wait", semaphoreWait}, {"post", semaphorePost}, {"count", semaphoreCount}}.Table(1)
	meta := rt.NewTable(0, 1)
	meta.SetStr("__index", rt.TableValue(methods))
	methods.SetStr("version", rt.String(version))
	methods.SetStr("new", rt.NewGoFunction("new", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		n, _ := rt.ToNumber(rt.ArgAt(args, 0))
		if n < 0 {
			th.Errorf("no negative number")
		}
		t := rt.NewTable(0, 1)
		t.SetStr("sem", rt.Opaque(&semaphore{resources: int(n)}))
		t.SetMeta(meta)
		return rt.TableValue(t), 1
	}))
	return methods
}

func semaphoreOf(th *rt.Thread, args []rt.Value) *semaphore {
	if v := rt.ArgAt(args, 0); v.IsTable() {
		if c := v.Table().GetStr("sem"); c.IsCData() {
			if s, ok := c.CData().Object.(*semaphore); ok {
				return s
			}
		}
	}
	th.Errorf("not a semaphore instance")
	return nil
}

// semaphoreWait is sema:wait(seconds): true, or nil and "timeout". After a wait these
// are true and nil, or false and "timeout". Unlike others it returns the message of a
// phase that may not wait.
func semaphoreWait(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := semaphoreOf(th, args)
	c := caller.Of(th)
	if c.Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	ms := int64(th.CheckNumber(args, 1) * 1000)
	if ms < 0 {
		th.Errorf("no negative number")
	}
	if !c.Phase.CanYield() {
		return lib.Fail(th, "API disabled in the context of "+c.Phase.Directive())
	}
	if s.resources > 0 && len(s.waiters) == 0 {
		s.resources--
		return rt.True, 1
	}
	if ms == 0 {
		return lib.Fail(th, "timeout")
	}
	p := th.Park()
	s.waiters = append(s.waiters, p)
	defer s.leave(p) // also when the light thread is killed
	if !p.Wait(time.Duration(ms) * time.Millisecond) {
		return th.Return2(rt.False, rt.String("timeout"))
	}
	return th.Return2(rt.True, rt.Nil)
}

func (s *semaphore) leave(p *rt.Parking) {
	if i := slices.Index(s.waiters, p); i >= 0 {
		s.waiters = slices.Delete(s.waiters, i, i+1)
	}
}

// semaphorePost is sema:post(n).
func semaphorePost(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := semaphoreOf(th, args)
	n := 1.0
	if v := rt.ArgAt(args, 1); v.Truthy() {
		n = th.CheckNumber(args, 1)
	}
	if n < 1 {
		th.Errorf("positive number required")
	}
	s.resources += int(n)
	for s.resources > 0 && len(s.waiters) > 0 {
		p := s.waiters[0]
		s.waiters = s.waiters[1:]
		if p.Wake() {
			s.resources--
		}
	}
	return rt.True, 1
}

// semaphoreCount is sema:count(): free resources, or minus the number of waiters.
func semaphoreCount(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := semaphoreOf(th, args)
	return rt.Int(s.resources - len(s.waiters)), 1
}
