package runtime

import (
	"math"
	"testing"
)

// model is a Value the slow way.
type model struct {
	ty  Type
	num float64
	str string
	b   bool
	obj any
}

func modelOf(v Value) model {
	m := model{ty: v.Type()}
	switch m.ty {
	case TypeNumber:
		m.num = v.Num()
	case TypeString:
		m.str = v.Str()
	case TypeBoolean:
		m.b = v.Truthy()
	case TypeTable:
		m.obj = v.Table()
	case TypeFunction:
		m.obj = v.Func()
	case TypeUserdata:
		m.obj = v.Userdata()
	case TypeThread:
		m.obj = v.Coroutine()
	case TypeCData:
		m.obj = v.CData()
	}
	return m
}

func FuzzValue(f *testing.F) {
	f.Add(uint8(0), uint64(0), "")
	f.Add(uint8(1), math.Float64bits(math.NaN()), "x")
	f.Add(uint8(1), ^uint64(0), "")
	f.Add(uint8(1), uint64(1)<<63, "longer string")
	tab, fn, ud, co, cd := NewTable(0, 0), &Function{}, &Userdata{}, &Coroutine{}, &CData{}
	f.Fuzz(func(t *testing.T, kind uint8, bits uint64, s string) {
		num := math.Float64frombits(bits)
		var v Value
		var want model
		switch kind % 9 {
		case 0:
			v, want = Nil, model{ty: TypeNil}
		case 1:
			if num != num {
				num = math.NaN()
			}
			v, want = canonicalNumber(math.Float64frombits(bits)), model{ty: TypeNumber, num: num}
		case 2:
			v, want = String(s), model{ty: TypeString, str: s}
		case 3:
			v, want = Bool(bits&1 == 1), model{ty: TypeBoolean, b: bits&1 == 1}
		case 4:
			v, want = TableValue(tab), model{ty: TypeTable, obj: tab}
		case 5:
			v, want = FunctionValue(fn), model{ty: TypeFunction, obj: fn}
		case 6:
			v, want = UserdataValue(ud), model{ty: TypeUserdata, obj: ud}
		case 7:
			v, want = ThreadValue(co), model{ty: TypeThread, obj: co}
		case 8:
			v, want = CDataValue(cd), model{ty: TypeCData, obj: cd}
		}
		check := func(v Value) {
			t.Helper()
			got, want := modelOf(v), want
			if got.num != got.num && want.num != want.num {
				got.num, want.num = 0, 0
			}
			if got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if truthy := want.ty != TypeNil && (want.ty != TypeBoolean || want.b); v.Truthy() != truthy {
				t.Fatalf("Truthy() = %v", v.Truthy())
			}
			if v.IsNil() != (want.ty == TypeNil) || v.IsNumber() != (want.ty == TypeNumber) ||
				v.IsString() != (want.ty == TypeString) || v.IsTable() != (want.ty == TypeTable) ||
				v.IsFunction() != (want.ty == TypeFunction) {
				t.Fatalf("type tests disagree with Type() = %v", want.ty)
			}
		}
		check(v)
		for _, old := range []Value{Nil, Int(1), String("old"), True} {
			slot := old
			slot.set(v)
			check(slot)
		}
	})
}

func TestRawEq(t *testing.T) {
	nan := Number(math.NaN())
	a := []byte("key")
	tests := []struct {
		a, b Value
		want bool
	}{
		{Nil, Nil, true},
		{Nil, False, false},
		{Int(0), Number(math.Copysign(0, -1)), true},
		{nan, nan, false},
		{String("key"), bytesValue(a), true},
		{String(""), Value{n: tagString}, true},
		{String("a"), String("b"), false},
		{Int(1), String("1"), false},
		{True, True, true},
		{TableValue(NewTable(0, 0)), TableValue(NewTable(0, 0)), false},
	}
	for _, tt := range tests {
		if got := RawEq(tt.a, tt.b); got != tt.want {
			t.Errorf("RawEq(%s, %s) = %v", Describe(tt.a), Describe(tt.b), got)
		}
	}
}
