package lower

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/transpile/internal/ast"
	"github.com/moonphase/moonphase/transpile/internal/infer"
	"github.com/moonphase/moonphase/transpile/internal/ir"
)

const (
	// minData is from how many constant fields on (those of inner tables
	// included) a constructor becomes data, which costs the Go compiler nothing.
	minData = 48
	// maxRecord is the most keys of a record shape.
	maxRecord = 64
)

// table lowers a constructor.
func (f *fn) table(e *ast.Table) ir.Expr {
	if len(e.Fields) == 0 {
		return &ir.NewTable{}
	}
	if n, ok := constants(e); ok && n >= minData {
		d := &ir.Data{Name: f.c.out.Prefix + "Data" + itoa(len(f.c.out.Datas)+1), Rows: rows(e)}
		f.c.out.Datas = append(f.c.out.Datas, d)
		return &ir.NewData{Data: d}
	}
	if keys := recordKeys(e); keys != nil {
		vals := f.operands(fieldValues(e), f.value)
		return &ir.NewRecord{Shape: f.c.shape(keys), Vals: vals, Line: e.Pos.Line, Tall: tall(e)}
	}
	if size, hash := tableSize(e); positional(e) && hash == 0 {
		vals, open := f.list(fieldValues(e))
		x := &ir.NewArray{Vals: vals, Open: f.join(nil, open), Line: e.Pos.Line, Tall: tall(e)}
		if size != max(2, len(vals)) {
			x.Size = size
		}
		return x
	}
	return f.mixedTable(e)
}

// tall reports whether the fields stand on lines of their own.
func tall(e *ast.Table) bool {
	return len(e.Fields) > 1 && e.Fields[len(e.Fields)-1].Pos.Line-e.Pos.Line >= len(e.Fields)-1
}

// mixedTable fills a table field by field.
func (f *fn) mixedTable(e *ast.Table) ir.Expr {
	x := &ir.NewTable{}
	x.Array, x.Record = tableSize(e)
	if keys := fieldNames(e); len(keys) > 0 {
		x.Shape = f.c.shape(keys)
	}
	t := f.keep("t", x, e.Pos.Line)
	pos := 0
	for i, fl := range e.Fields {
		if fl.Key == nil {
			pos++
			if i == len(e.Fields)-1 && ast.IsOpen(fl.Value) {
				fixed, open := f.list([]ast.Expr{fl.Value})
				list := f.join(fixed, open)
				if open == nil {
					list = &ir.Join{Fixed: fixed}
				}
				f.emit(&ir.Do{X: f.op(ir.SetList, nil, t, &ir.Const{V: pos}, list), Line: fl.Pos.Line})
				break
			}
			op := f.raising(ir.SetIndexInt, "", fl.Pos.Line, t, &ir.Const{V: pos}, f.value(fl.Value))
			f.emit(&ir.Do{X: op, Line: fl.Pos.Line})
			continue
		}
		x := f.operands([]ast.Expr{fl.Key, fl.Value}, f.expr)
		f.emitStore([]ir.Expr{t, x[0], f.to(x[1], ir.Value)}, &ast.Index{Obj: &ast.NilExpr{}, Key: fl.Key, Line: fl.Line})
	}
	return t
}

func fieldValues(e *ast.Table) []ast.Expr {
	vals := make([]ast.Expr, len(e.Fields))
	for i, fl := range e.Fields {
		vals[i] = fl.Value
	}
	return vals
}

// recordKeys returns the keys of a constructor that has only distinct constant
// strings, or nil.
func recordKeys(e *ast.Table) []string {
	if len(e.Fields) > maxRecord {
		return nil
	}
	seen := map[string]bool{}
	var keys []string
	for _, fl := range e.Fields {
		k, ok := fl.Key.(*ast.StringExpr)
		if !ok || seen[k.Value] {
			return nil
		}
		seen[k.Value] = true
		keys = append(keys, k.Value)
	}
	return keys
}

// fieldNames returns the constant strings among the keys of a constructor, each once, or
// nil when they are too many for a record.
func fieldNames(e *ast.Table) []string {
	var keys []string
	for _, fl := range e.Fields {
		if k, ok := fl.Key.(*ast.StringExpr); ok && !slices.Contains(keys, k.Value) {
			if keys = append(keys, k.Value); len(keys) > maxRecord {
				return nil
			}
		}
	}
	return keys
}

func positional(e *ast.Table) bool {
	for _, fl := range e.Fields {
		if fl.Key != nil {
			return false
		}
	}
	return true
}

// shape returns the shape for keys; constructors of the same keys share it.
func (c *chunk) shape(keys []string) *ir.Shape {
	id := strings.Join(keys, "\x00")
	s := c.shapes[id]
	if s == nil {
		s = &ir.Shape{Name: c.out.Prefix + "Shape" + itoa(len(c.out.Shapes)+1), Keys: keys}
		c.shapes[id] = s
		c.out.Shapes = append(c.out.Shapes, s)
	}
	return s
}

// constants counts the fields of a constructor made of constants only.
func constants(e *ast.Table) (n int, ok bool) {
	for _, fl := range e.Fields {
		if fl.Key != nil {
			if _, ok := constant(fl.Key); !ok || isNil(fl.Key) {
				return 0, false
			}
		}
		if t, ok := fl.Value.(*ast.Table); ok {
			in, ok := constants(t)
			if !ok {
				return 0, false
			}
			n += in
		} else if _, ok := constant(fl.Value); !ok {
			return 0, false
		}
		n++
	}
	return n, true
}

func isNil(e ast.Expr) bool {
	_, ok := e.(*ast.NilExpr)
	return ok
}

// constant returns the value of a constant expression.
func constant(e ast.Expr) (any, bool) {
	switch e := e.(type) {
	case *ast.NilExpr:
		return nil, true
	case *ast.TrueExpr:
		return true, true
	case *ast.FalseExpr:
		return false, true
	case *ast.StringExpr:
		return e.Value, true
	}
	if v, ok := infer.Const(e); ok && v == v {
		return v, true
	}
	return nil, false
}

// rows makes the data of a constant constructor: the sizes of its parts, then key, value,
// ...; a nil key is the next position.
func rows(e *ast.Table) []any {
	array, hash := tableSize(e)
	list := append(make([]any, 0, 2+2*len(e.Fields)), array, hash)
	for _, fl := range e.Fields {
		var k, v any
		if fl.Key != nil {
			k, _ = constant(fl.Key)
		}
		if t, ok := fl.Value.(*ast.Table); ok {
			v = rows(t)
		} else {
			v, _ = constant(fl.Value)
		}
		list = append(list, k, v)
	}
	return list
}
