package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// The case files in testdata/lib hold library calls and what LuaJIT gives for
// them, as recorded by testdata/lib/oracle.lua.
func TestLibraryCases(t *testing.T) {
	files, err := filepath.Glob("testdata/lib/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := newCaseRunner(t)
			lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			for i := 0; i < len(lines); i++ {
				line := lines[i]
				if n, ok := strings.CutPrefix(line, "-- digits "); ok {
					r.digits, _ = strconv.Atoi(n)
				}
				if line == "" || strings.HasPrefix(line, "--") {
					continue
				}
				if i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "\t") {
					t.Fatalf("line %d: case without expectation", i+1)
				}
				got, want := r.run(line), lines[i+1][1:]
				if got != want {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", file, i+1, line, got, want)
				}
				i++
			}
		})
	}
}

// caseRunner evaluates the calls of case files.
type caseRunner struct {
	t      *testing.T
	th     *Thread
	text   string
	pos    int
	digits int // of the numbers that are shown
}

func newCaseRunner(t *testing.T) *caseRunner {
	st := NewState(Options{})
	g := st.Globals
	str := func(s string) Value { return g.GetStr("string").Table().GetStr(s) }
	g.SetStr("rep", str("rep"))
	g.SetStr("cjson", st.natives["cjson"](st.Main()))
	g.SetStr("safe", st.natives["cjson.safe"](st.Main()))
	for name, f := range map[string]GoFunc{
		"gt":     func(th *Thread, args []Value) (Value, int) { return Bool(Lt(th, args[1], args[0])), 1 },
		"always": func(*Thread, []Value) (Value, int) { return True, 1 },
		"none":   func(*Thread, []Value) (Value, int) { return Nil, 0 },
		"give":   func(th *Thread, args []Value) (Value, int) { return th.ReturnList(args) },
		"aslist": func(*Thread, []Value) (Value, int) { return TableValue(NewTable(0, 0)), 1 },
		"boxed": func(th *Thread, args []Value) (Value, int) {
			var parts []string
			for _, v := range args {
				s, _ := ToString(v)
				parts = append(parts, s)
			}
			return String("<" + strings.Join(parts, ",") + ">"), 1
		},
		"named": func(th *Thread, args []Value) (Value, int) {
			s := args[0]
			m := NewTable(0, 1)
			m.SetStr("__tostring", NewGoFunction("tostring", func(*Thread, []Value) (Value, int) { return s, 1 }))
			v := NewTable(0, 0)
			v.SetMeta(m)
			return TableValue(v), 1
		},
	} {
		g.SetStr(name, NewGoFunction(name, f))
	}
	return &caseRunner{t: t, th: st.Main(), digits: 17}
}

// run evaluates one line and shows the outcome.
func (r *caseRunner) run(line string) string {
	call, mutates := strings.CutPrefix(line, "mut ")
	r.text, r.pos = call, 0
	f, args := r.call()
	results, err := r.th.PCall(f, args...)
	var text string
	if err != nil {
		text = "error " + r.show(err.Value)
	} else {
		var parts []string
		for _, v := range results {
			parts = append(parts, r.show(v))
		}
		if text = strings.Join(parts, ", "); text == "" {
			text = "nothing"
		}
	}
	if mutates {
		text += "; " + r.show(ArgAt(args, 0))
	}
	return text
}

func (r *caseRunner) fail(what string) {
	r.t.Fatalf("case %q: %s at %d", r.text, what, r.pos)
}

func (r *caseRunner) blanks() byte {
	for r.pos < len(r.text) && r.text[r.pos] == ' ' {
		r.pos++
	}
	if r.pos == len(r.text) {
		return 0
	}
	return r.text[r.pos]
}

func (r *caseRunner) name() string {
	from := r.pos
	for r.pos < len(r.text) && (r.text[r.pos] == '_' || r.text[r.pos] == '.' || classSet('w')[r.text[r.pos]]) {
		r.pos++
	}
	return r.text[from:r.pos]
}

// call parses name(args).
func (r *caseRunner) call() (f Value, args []Value) {
	f = r.lookup(r.name())
	return f, r.list('(', ')', nil)
}

func (r *caseRunner) lookup(name string) Value {
	st := r.th.State
	if module, ok := strings.CutPrefix(name, "mod."); ok {
		module, field, isField := strings.Cut(module, ".")
		loader := st.Preload.GetStr(strings.ReplaceAll(module, "_", "."))
		v := r.th.Call1(loader)
		if isField {
			return v.Table().GetStr(field)
		}
		return v
	}
	v := TableValue(st.Globals)
	for _, part := range strings.Split(name, ".") {
		if !v.IsTable() {
			r.fail("unknown name " + name)
		}
		v = v.Table().GetStr(part)
	}
	return v
}

// list parses values between brackets; keyed, when not nil, gets [k]=v and name=v pairs.
func (r *caseRunner) list(open, end byte, keyed *Table) (list []Value) {
	if r.blanks() != open {
		r.fail("expected " + string(open))
	}
	r.pos++
	for r.blanks() != end {
		if keyed != nil && r.pair(keyed) {
			continue
		}
		list = append(list, r.value())
		if r.blanks() == ',' {
			r.pos++
		}
	}
	r.pos++
	return list
}

func (r *caseRunner) pair(t *Table) bool {
	from := r.pos
	var key Value
	if r.blanks() == '[' {
		r.pos++
		key = r.value()
		r.pos++
	} else if name := r.name(); name != "" {
		key = String(name)
	}
	if key.IsNil() || r.blanks() != '=' {
		r.pos = from
		return false
	}
	r.pos++
	t.Set(key, r.value())
	if r.blanks() == ',' {
		r.pos++
	}
	return true
}

func (r *caseRunner) value() Value {
	switch c := r.blanks(); {
	case c == '"':
		return String(r.quoted())
	case c == '{':
		t := NewTable(0, 0)
		list := r.list('{', '}', t)
		if t.places(); len(list) > 0 {
			t.resize(len(list), t.hbits)
		}
		for i, v := range list {
			t.SetInt(i+1, v)
		}
		return TableValue(t)
	case c == '-':
		r.pos++
		return Number(-r.value().Num())
	case '0' <= c && c <= '9':
		from := r.pos
		for r.pos < len(r.text) && (strings.IndexByte("0123456789.eExX+abcdefABCDEF", r.text[r.pos]) >= 0 ||
			r.text[r.pos] == '-' && r.text[r.pos-1] == 'e') {
			r.pos++
		}
		f, ok := ParseNumber(r.text[from:r.pos])
		if !ok {
			r.fail("bad number")
		}
		return Number(f)
	}
	switch name := r.name(); name {
	case "nil":
		return Nil
	case "true":
		return True
	case "false":
		return False
	case "inf":
		v, _ := ParseNumber("inf")
		return Number(v)
	case "nan":
		v, _ := ParseNumber("nan")
		return Number(v)
	case "":
		r.fail("expected a value")
		return Nil
	default:
		f := r.lookup(name)
		if r.blanks() != '(' {
			return f
		}
		return r.th.Call1(f, r.list('(', ')', nil)...)
	}
}

// quoted parses a string literal with \ddd, \n, \\ and \" escapes.
func (r *caseRunner) quoted() string {
	var b []byte
	for r.pos++; r.text[r.pos] != '"'; r.pos++ {
		c := r.text[r.pos]
		if c != '\\' {
			b = append(b, c)
			continue
		}
		r.pos++
		if c = r.text[r.pos]; c < '0' || c > '9' {
			switch c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			}
			b = append(b, c)
			continue
		}
		code, end := 0, r.pos+3
		for ; r.pos < end && r.text[r.pos] >= '0' && r.text[r.pos] <= '9'; r.pos++ {
			code = 10*code + int(r.text[r.pos]-'0')
		}
		r.pos--
		b = append(b, byte(code))
	}
	r.pos++
	return string(b)
}

// show shows a value as oracle.lua does.
func (r *caseRunner) show(v Value) string {
	switch v.Type() {
	case TypeString:
		var b strings.Builder
		b.WriteByte('"')
		for _, c := range []byte(v.Str()) {
			if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
				fmt.Fprintf(&b, "\\%03d", c)
			} else {
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		return b.String()
	case TypeNumber:
		return string(appendNumberG(nil, v.Num(), r.digits))
	case TypeBoolean:
		return strconv.FormatBool(v.Truthy())
	case TypeTable:
		return r.showTable(v.Table())
	}
	return TypeName(v)
}

func (r *caseRunner) showTable(t *Table) string {
	var parts, keyed []string
	n := t.Len()
	for i := 1; i <= n; i++ {
		parts = append(parts, r.show(t.Int(i)))
	}
	for k, v, pos := t.nextFrom(0); pos != 0; k, v, pos = t.nextFrom(pos) {
		if k.IsNumber() && k.Num() >= 1 && k.Num() <= float64(n) && k.Num() == float64(int(k.Num())) {
			continue
		}
		keyed = append(keyed, "["+r.show(k)+"]="+r.show(v))
	}
	sort.Strings(keyed)
	return "{" + strings.Join(append(parts, keyed...), ", ") + "}"
}
