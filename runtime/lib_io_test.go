package runtime

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ioScript runs calls of io and os functions and of file methods one after the other.
type ioScript struct {
	*caseRunner
	vars map[string]Value
}

// do calls a function of a library ("io.open") or a method ("f:read") and shows the
// outcome; a file it gives is kept under the name that stands before " = ".
func (s *ioScript) do(call string, args ...Value) string {
	s.t.Helper()
	name, call, assign := strings.Cut(call, " = ")
	if !assign {
		call = name
	}
	var f Value
	if object, method, ok := strings.Cut(call, ":"); ok {
		self := s.vars[object]
		f = self.Userdata().Meta.GetStr(method)
		args = append([]Value{self}, args...)
	} else if v, ok := s.vars[call]; ok {
		f = v
	} else {
		f = s.lookup(call)
	}
	results, err := s.th.PCall(f, args...)
	if err != nil {
		return "error " + s.show(err.Value)
	}
	if assign && len(results) > 0 {
		s.vars[name] = results[0]
	}
	var parts []string
	for _, v := range results {
		parts = append(parts, s.show(v))
	}
	return strings.Join(parts, ", ")
}

// TestIO replays a script whose output under luajit is in the want column, but for
// what the 5.2 dialect returns: write gives the file, close of a pipe how it ended.
func TestIO(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("C library texts and sh")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	s := ioScript{newCaseRunner(t), map[string]Value{}}
	str := func(list ...string) (vs []Value) {
		for _, x := range list {
			vs = append(vs, String(x))
		}
		return vs
	}
	for i, tt := range []struct {
		call string
		args []Value
		want string
	}{
		{"io.open", str("nofile"), `nil, "nofile: No such file or directory", 2`},
		{"io.open", str("x", "zz"), `nil, "x: Invalid argument", 22`},
		{"io.open", nil, `error "bad argument #1 to '?' (string expected, got no value)"`},
		{"io.open", str("/nodir/x", "w"), `nil, "/nodir/x: No such file or directory", 2`},
		{"f = io.open", str("a.txt", "w"), "userdata"},
		{"f:write", []Value{String("line1\n"), String("line2\n"), Int(3), String(" "), Number(4.5), String("\nlast")}, "userdata"},
		{"f:seek", str("cur"), "22"},
		{"f:seek", str("end"), "22"},
		{"f:seek", []Value{String("set"), Int(2)}, "2"},
		{"f:read", nil, `nil, "Bad file descriptor", 9`},
		{"f:close", nil, "true"},
		{"f:write", str("x"), `error "attempt to use a closed file"`},
		{"f:__tostring", nil, `"file (closed)"`},
		{"f = io.open", str("a.txt"), "userdata"},
		{"f:read", nil, `"line1"`},
		{"f:read", str("*l"), `"line2"`},
		{"f:read", str("*n", "*n"), "3, 4.5"},
		{"f:read", str("*L"), `"\010"`},
		{"f:read", str("*a"), `"last"`},
		{"f:read", str("*a"), `""`},
		{"f:read", str("*l"), "nil"},
		{"f:read", []Value{Int(0)}, "nil"},
		{"f:seek", []Value{String("set"), Int(0)}, "0"},
		{"f:read", []Value{Int(3), Int(2), Int(0)}, `"lin", "e1", ""`},
		{"f:read", str("l"), `""`},
		{"f:read", str("L", "a"), `"line2\010", "3 4.5\010last"`},
		{"f:seek", []Value{String("set"), Int(100)}, "100"},
		{"f:read", []Value{Int(1)}, "nil"},
		{"f:seek", str("set"), "0"},
		{"f:read", []Value{Int(100000)}, `"line1\010line2\0103 4.5\010last"`},
		{"f:read", str("x"), `error "bad argument #2 to '?' (invalid format)"`},
		{"f:seek", str("bad"), `error "bad argument #2 to '?' (invalid option 'bad')"`},
		{"f:seek", []Value{String("set"), Int(-1)}, `nil, "Invalid argument", 22`},
		{"f:write", str("x"), `nil, "Bad file descriptor", 9`},
		{"f:setvbuf", str("no"), "true"},
		{"f:setvbuf", str("bad"), `error "bad argument #2 to '?' (invalid option 'bad')"`},
		{"f:flush", nil, "true"},
		{"f:close", nil, "true"},
		{"it = io.lines", []Value{String("a.txt"), Int(1), String("*l")}, "function"},
		{"it", nil, `"l", "ine1"`},
		{"it", nil, `"l", "ine2"`},
		{"it", nil, `"3", " 4.5"`},
		{"it", nil, `"l", "ast"`},
		{"it", nil, "nil"},
		{"it", nil, `error "attempt to use a closed file"`},
		{"io.lines", str("nofile"), `error "bad argument #1 to '?' (nofile: No such file or directory)"`},
		{"f = io.open", str("n.txt", "w+"), "userdata"},
		{"f:write", str("12 -3.5e2 0x1F abc nan 7"), "userdata"},
		{"f:seek", str("set"), "0"},
		{"f:read", str("*n", "*n", "*n"), "12, -350, 31"},
		{"f:read", str("*n"), "nil"},
		{"f:read", []Value{Int(3), String("*n"), String("*n")}, `"abc", nan, 7`},
		{"f:close", nil, "true"},
		{"f = io.open", str("a.txt", "r+"), "userdata"},
		{"f:read", []Value{Int(2)}, `"li"`},
		{"f:write", str("ZZ"), "userdata"},
		{"f:read", []Value{Int(2)}, `"1\010"`},
		{"f:close", nil, "true"},
		{"f = io.open", str("a.txt", "a+"), "userdata"},
		{"f:write", str("APP"), "userdata"},
		{"f:seek", str("set"), "0"},
		{"f:read", str("*a"), `"liZZ1\010line2\0103 4.5\010lastAPP"`},
		{"f:close", nil, "true"},
		{"io.output", str("o.txt"), "userdata"},
		{"io.write", str("hello\n", "world"), "userdata"},
		{"io.close", nil, "true"},
		{"io.write", str("x"), `error "standard file is closed"`},
		{"f = io.input", str("o.txt"), "userdata"},
		{"io.read", nil, `"hello"`},
		{"io.read", str("*a"), `"world"`},
		{"io.read", nil, "nil"},
		{"f:close", nil, "true"},
		{"io.read", nil, `error "standard file is closed"`},
		{"io.input", str("nofile"), `error "bad argument #1 to '?' (nofile: No such file or directory)"`},
		{"p = io.popen", str("echo hi; exit 3"), "userdata"},
		{"p:read", str("*a"), `"hi\010"`},
		{"p:close", nil, `nil, "exit", 3`},
		{"p = io.popen", str("cat > p.txt", "w"), "userdata"},
		{"p:write", str("abc"), "userdata"},
		{"p:close", nil, `true, "exit", 0`},
		{"io.popen", str("x", "zz"), `nil, "x: Invalid argument", 22`},
		{"f = io.open", str("p.txt"), "userdata"},
		{"f:read", str("*a"), `"abc"`},
		{"f:read", []Value{TableValue(NewTable(0, 0))}, `error "bad argument #2 to '?' (invalid option)"`},
		{"io.type", []Value{Int(5)}, "nil"},
		{"io.type", nil, `error "bad argument #1 to '?' (value expected)"`},
		{"io.close", []Value{Int(5)}, `error "bad argument #1 to '?' (FILE* expected, got number)"`},
		{"f = io.open", str("."), "userdata"},
		{"f:read", []Value{Int(1)}, `nil, "Is a directory", 21`},
		{"f:read", str("*a"), `nil, "Is a directory", 21`},
		{"t = io.tmpfile", nil, "userdata"},
		{"t:write", str("tmp"), "userdata"},
		{"t:seek", str("set"), "0"},
		{"t:read", str("*a"), `"tmp"`},
		{"os.remove", str("nofile"), `nil, "nofile: No such file or directory", 2`},
		{"os.rename", str("nofile", "x"), `nil, "nofile: No such file or directory", 2`},
		{"os.remove", str("p.txt"), "true"},
		{"os.execute", str("mkdir d; touch d/x"), `true, "exit", 0`},
		{"os.remove", str("d"), `nil, "d: Directory not empty", 39`},
		{"os.execute", str("exit 3"), `nil, "exit", 3`},
		{"os.execute", str("kill -9 $$"), `nil, "signal", 9`},
		{"os.execute", nil, "true"},
		{"os.getenv", str("NOPE_X"), "nil"},
		{"os.difftime", []Value{Int(5), Int(3)}, "2"},
		{"os.setlocale", nil, `"C"`},
		{"os.setlocale", str("xx"), "nil"},
		{"os.setlocale", str("C", "bad"), `error "bad argument #2 to '?' (invalid option 'bad')"`},
	} {
		if got := s.do(tt.call, tt.args...); got != tt.want {
			t.Errorf("%d %s: got %s, want %s", i, tt.call, got, tt.want)
		}
	}
}

// TestIOUnclosed checks that what a script wrote is on disk when its state closes,
// or the file becomes unreachable.
func TestIOUnclosed(t *testing.T) {
	dir := t.TempDir()
	st := NewState(Options{})
	open := func(name string) {
		f := st.Main().Call1(st.Globals.GetStr("io").Table().GetStr("open"), String(filepath.Join(dir, name)), String("w"))
		st.Main().Call(f.Userdata().Meta.GetStr("write"), f, String("data"))
		if name == "kept" {
			st.Globals.SetStr("f", f)
		}
	}
	want := func(name string) {
		t.Helper()
		for range 100 {
			if b, _ := os.ReadFile(filepath.Join(dir, name)); string(b) == "data" {
				return
			}
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		t.Errorf("%s was not written", name)
	}
	open("dropped")
	// The last arguments stay in the thread until others take their place.
	st.Main().Call(st.Globals.GetStr("select"), Int(1), Nil, Nil, Nil, Nil)
	want("dropped")
	open("kept")
	st.Close()
	want("kept")
}

func TestOSDate(t *testing.T) {
	r := newCaseRunner(t)
	for _, tt := range []struct {
		format string
		time   float64
		want   string
	}{
		{"!%a %A %b %B", 1700000000, "Tue Tuesday Nov November"},
		{"!%c", 1700000000, "Tue Nov 14 22:13:20 2023"},
		{"!%d %D %e %F", 1700000000, "14 11/14/23 14 2023-11-14"},
		{"!%g %G %V %U %W %u %w", 1700000000, "23 2023 46 46 46 2 2"},
		{"!%h %H %I %j", 1700000000, "Nov 22 10 318"},
		{"!%m %M %n %p %r %R", 1700000000, "11 13 \n PM 10:13:20 PM 22:13"},
		{"!%S %t %T", 1700000000, "20 \t 22:13:20"},
		{"!%x %X %y %Y %C", 1700000000, "11/14/23 22:13:20 23 2023 20"},
		{"!%z %Z %%", 1700000000, "+0000 GMT %"},
		{"!%s", 1700000000, "1700000000"},
		{"!%Q %", 1700000000, "%Q %"},
		{"!%Ey %Od %EY", 1700000000, "23 14 2023"},
		{"!%k|%l|%P", 1700000000, "22|10|pm"},
		{"!%5d|%-d|%_d|%05d|%^a|%#Z|%+", 1700000000, "00014|14|14|00014|TUE|gmt|%+"},
		{"!%c", 0, "Thu Jan  1 00:00:00 1970"},
		{"!%Y-%m-%d %H:%M:%S", 1e10, "2286-11-20 17:46:40"},
		{"!%c", -1, "Wed Dec 31 23:59:59 1969"},
		{"!%H", 1.9, "00"},
		{"", 0, ""},
	} {
		v := r.th.Call1(r.lookup("os.date"), String(tt.format), Number(tt.time))
		if got := Describe(v); got != tt.want {
			t.Errorf("os.date(%q, %v): got %q, want %q", tt.format, tt.time, got, tt.want)
		}
	}
	if got := r.run(`os.date("!%c", 1e20)`); got != "nil" {
		t.Errorf("a year beyond C's int gives %s", got)
	}
	if got, want := r.run(`os.date("!*t", 1700000000)`), `{["day"]=14, ["hour"]=22, ["isdst"]=false, ["min"]=13, ["month"]=11, ["sec"]=20, ["wday"]=3, ["yday"]=318, ["year"]=2023}`; got != want {
		t.Errorf("*t: got %s, want %s", got, want)
	}
}

// TestOSTime has what luajit gives in New York.
func TestOSTime(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip(err)
	}
	defer func(old *time.Location) { time.Local = old }(time.Local)
	time.Local = zone
	r := newCaseRunner(t)
	for _, tt := range []struct{ call, want string }{
		{`os.time({year=2023,month=7,day=1,hour=12,isdst=true})`, "1688227200"},
		{`os.time({year=2023,month=7,day=1,hour=12,isdst=false})`, "1688230800"},
		{`os.time({year=2023,month=1,day=1,hour=12,isdst=true})`, "1672588800"},
		{`os.time({year=2023,month=14,day=-5,hour=30,min=-1})`, "1706353140"},
		{`os.time({year="2023",month=1.9,day=2})`, "1672678800"},
		{`os.time({year=2023})`, `error "field 'day' missing in date table"`},
		{`os.time({year=2023,month="x",day=1})`, `error "field 'month' missing in date table"`},
		{`os.time(5)`, `error "bad argument #1 to '?' (table expected, got number)"`},
	} {
		if got := r.run(tt.call); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.call, got, tt.want)
		}
	}
}
