package runtime

import "testing"

// The benchmarks are Lua by hand, in the form generated code has.

// benchFib returns fib as a dynamic function; inline says whether arithmetic stands
// behind BothNumbers, as in loops and small functions.
func benchFib(inline bool) Value {
	var fib Value
	if inline {
		fib = NewFunction(&Proto{}, func(th *Thread, n int, a, b, c Value) (Value, int) {
			if a.IsNumber() {
				if a.Num() < 2 {
					return a, 1
				}
			} else if Lt(th, a, Int(2)) {
				return a, 1
			}
			var t1, t2 Value
			if a.IsNumber() {
				t1 = Number(a.Num() - 1)
			} else {
				t1 = Sub(th, a, Int(1), "local n")
			}
			x := First(Call1(th, fib, "upvalue fib", t1))
			if a.IsNumber() {
				t2 = Number(a.Num() - 2)
			} else {
				t2 = Sub(th, a, Int(2), "local n")
			}
			y := First(Call1(th, fib, "upvalue fib", t2))
			if BothNumbers(x, y) {
				return Number(x.Num() + y.Num()), 1
			}
			return Add(th, x, y, ""), 1
		})
		return fib
	}
	fib = NewFunction(&Proto{}, func(th *Thread, n int, a, b, c Value) (Value, int) {
		if Lt(th, a, Int(2)) {
			return a, 1
		}
		x := First(Call1(th, fib, "upvalue fib", Sub(th, a, Int(1), "local n")))
		y := First(Call1(th, fib, "upvalue fib", Sub(th, a, Int(2), "local n")))
		return Add(th, x, y, ""), 1
	})
	return fib
}

func BenchmarkFib30(b *testing.B) {
	th := testState.NewThread()
	for _, inline := range []bool{false, true} {
		b.Run(map[bool]string{false: "calls", true: "inline"}[inline], func(b *testing.B) {
			fib := benchFib(inline)
			for b.Loop() {
				Call1(th, fib, "", Int(30))
			}
		})
	}
}

var siteX, siteY, siteZ = Site{Key: "x"}, Site{Key: "y"}, Site{Key: "z"}

var shapeXYZ = NewShape("x", "y", "z")

func BenchmarkRecord(b *testing.B) {
	th := testState.NewThread()
	o := NewRecord(shapeXYZ, Int(1), Int(2), Int(3))
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			Field(th, o, &siteZ, "")
		}
	})
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			SetField(th, o, &siteZ, Int(4), "")
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewRecord(shapeXYZ, Int(1), Int(2), Int(3))
		}
	})
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o := TableValue(NewTable(0, 0))
			SetField(th, o, &siteX, Int(4), "")
			SetField(th, o, &siteY, Int(4), "")
		}
	})
}

func BenchmarkMethodCall(b *testing.B) {
	th := testState.NewThread()
	class, meta := NewTable(0, 0), NewTable(0, 0)
	meta.SetStr("__index", TableValue(class))
	class.SetStr("get", NewFunction(&Proto{}, func(th *Thread, n int, a, b, c Value) (Value, int) { return a, 1 }))
	o := NewRecord(shapeXYZ, Int(1), Int(2), Int(3))
	o.Table().SetMeta(meta)
	site := Site{Key: "get"}
	for b.Loop() {
		Method0(th, o, &site, "")
	}
}

func BenchmarkArray(b *testing.B) {
	th := testState.NewThread()
	b.Run("append1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o := NewTable(0, 0)
			v := TableValue(o)
			for i := range 1000 {
				SetIndexNum(th, v, Len(th, v, "").Num()+1, Int(i), "")
			}
		}
	})
	b.Run("sum1000", func(b *testing.B) {
		o := NewTable(0, 0)
		for i := 1; i <= 1000; i++ {
			o.SetInt(i, Int(i))
		}
		v := TableValue(o)
		for b.Loop() {
			s := 0.0
			for i := 1; i <= 1000; i++ {
				s += IndexInt(th, v, i, "").Num()
			}
		}
	})
	b.Run("pairs1000", func(b *testing.B) {
		o := NewTable(0, 0)
		for i := 1; i <= 1000; i++ {
			o.SetInt(i, Int(i))
		}
		for b.Loop() {
			it := ForIn(th, FunctionValue(nextFunction), TableValue(o), Nil, "")
			for it.Next(th) {
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	keys := make([]Value, 1000)
	for i := range keys {
		keys[i] = String("key" + NumberString(float64(i)))
	}
	th := testState.NewThread()
	o := TableValue(NewTable(0, 0))
	b.Run("insert1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o = TableValue(NewTable(0, 0))
			for _, k := range keys {
				SetIndex(th, o, k, k, "")
			}
		}
	})
	b.Run("get1000", func(b *testing.B) {
		for b.Loop() {
			for _, k := range keys {
				Index(th, o, k, "")
			}
		}
	})
}

func BenchmarkCoroutine(b *testing.B) {
	th := testState.NewThread()
	body := NewFunction(&Proto{}, func(th *Thread, n int, a, b, c Value) (Value, int) {
		for {
			if a, _ := th.Yield([]Value{a}); a.IsNil() {
				return Nil, 0
			}
		}
	})
	b.Run("switch", func(b *testing.B) {
		co := th.NewCoroutine(body)
		args := []Value{True}
		for b.Loop() {
			th.Resume(co, args)
		}
		th.Resume(co, nil)
	})
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			co := th.NewCoroutine(body)
			th.Resume(co, nil)
			th.Resume(co, nil)
		}
	})
}

func BenchmarkPCall(b *testing.B) {
	th := testState.NewThread()
	f := NewFunction(&Proto{}, func(th *Thread, n int, a, b, c Value) (Value, int) { return a, 1 })
	pcall := testState.Globals.GetStr("pcall")
	b.Run("ok", func(b *testing.B) {
		for b.Loop() {
			Call2(th, pcall, "", f, True)
		}
	})
	b.Run("error", func(b *testing.B) {
		e := testState.Globals.GetStr("error")
		for b.Loop() {
			Call2(th, pcall, "", e, True)
		}
	})
}
