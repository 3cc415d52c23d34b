package runtime

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

var osLib = []libFunc{
	{"clock", osClock},
	{"date", osDate},
	{"difftime", osDifftime},
	{"execute", osExecute},
	{"exit", osExit},
	{"getenv", osGetenv},
	{"remove", osRemove},
	{"rename", osRename},
	{"setlocale", osSetlocale},
	{"time", osTime},
	{"tmpname", osTmpname},
}

func openOS(st *State) { st.addLib("os", newLib(osLib)) }

// processStart stands in for the CPU clock where the system does not tell it.
var processStart = time.Now()

func osClock(*Thread, []Value) (Value, int) { return Number(cpuTime().Seconds()), 1 }

// errnoText returns the C library's text for an error and its number, 0 when the
// error has none. Go's texts differ from C's in the case of the first letter.
func errnoText(err error) (string, int) {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error(), 0
	}
	text := []byte(errno.Error())
	if len(text) > 0 {
		upperASCII(text[:1])
	}
	return string(text), int(errno)
}

// fileResult returns what io and os functions give: true, or nil, a message with the file's
// name when it is not empty, and the error number.
func (th *Thread) fileResult(err error, name string) (Value, int) {
	if err == nil {
		return True, 1
	}
	text, errno := errnoText(err)
	if name != "" {
		text = name + ": " + text
	}
	return th.Return3(Nil, String(text), Int(errno))
}

func osRemove(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	return th.fileResult(os.Remove(name), name)
}

func osRename(th *Thread, args []Value) (Value, int) {
	from, to := th.CheckString(args, 0), th.CheckString(args, 1)
	return th.fileResult(os.Rename(from, to), from)
}

func osTmpname(th *Thread, _ []Value) (Value, int) {
	f, err := os.CreateTemp("", "lua_")
	if err != nil {
		th.Errorf("unable to generate a unique filename")
	}
	defer f.Close()
	return String(f.Name()), 1
}

func osGetenv(th *Thread, args []Value) (Value, int) {
	if v, ok := os.LookupEnv(th.CheckString(args, 0)); ok {
		return String(v), 1
	}
	return Nil, 1
}

func osDifftime(th *Thread, args []Value) (Value, int) {
	begin := floatInt(th.OptNumber(args, 1, 0)) // C looks at this one first
	return Number(float64(floatInt(th.CheckNumber(args, 0))) - float64(begin)), 1
}

// osSetlocale knows the C locale only, in which this program always runs.
func osSetlocale(th *Thread, args []Value) (Value, int) {
	locale := th.OptString(args, 0, "C")
	switch category := th.OptString(args, 1, "all"); category {
	case "all", "collate", "ctype", "monetary", "numeric", "time":
	default:
		th.ArgError(1, "invalid option '"+category+"'")
	}
	switch locale {
	case "", "C", "POSIX":
		return String("C"), 1
	}
	return Nil, 1
}

// shell returns the command that runs a command line.
func shell(line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.Command("cmd", "/c", line)
	}
	return exec.Command("/bin/sh", "-c", line) // by path, as system(3): a server's environment may have no PATH
}

func osExecute(th *Thread, args []Value) (Value, int) {
	if isAbsent(args, 0) {
		_, err := exec.LookPath("/bin/sh")
		return Bool(err == nil || runtime.GOOS == "windows"), 1
	}
	cmd := shell(th.CheckString(args, 0))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	th.State.flushOutput()
	return th.execResult(cmd.Run())
}

// execResult returns how a command ended, in the form of the 5.2 dialect.
func (th *Thread) execResult(err error) (Value, int) {
	if err == nil {
		return th.Return3(True, String("exit"), Int(0))
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return th.fileResult(err, "")
	}
	if signal := exitSignal(exit); signal > 0 {
		return th.Return3(Nil, String("signal"), Int(signal))
	}
	return th.Return3(Nil, String("exit"), Int(exit.ExitCode()))
}

func osExit(th *Thread, args []Value) (Value, int) {
	code := 0
	switch v := ArgAt(args, 0); {
	case v.IsNil():
	case v.IsBool():
		if !v.Truthy() {
			code = 1
		}
	default:
		code = floatInt32(th.CheckNumber(args, 0))
	}
	th.State.Close()
	os.Exit(code)
	return Nil, 0
}

// osTime returns the time, or that of the local date in a table.
func osTime(th *Thread, args []Value) (Value, int) {
	if isAbsent(args, 0) {
		return Int(int(time.Now().Unix())), 1
	}
	t := th.CheckTable(args, 0)
	field := func(name string, def int) int {
		if f, ok := toNumber(t.GetStr(name)); ok {
			return floatInt32(f)
		}
		if def < 0 {
			th.Errorf("field '%s' missing in date table", name)
		}
		return def
	}
	sec, minute, hour := field("sec", 0), field("min", 0), field("hour", 12)
	day, month, year := field("day", -1), field("month", -1), field("year", -1)
	at := time.Date(year, time.Month(month), day, hour, minute, sec, 0, time.Local)
	if dst := t.GetStr("isdst"); !dst.IsNil() {
		// The date is meant in summer time or not, whatever is in force then.
		switch {
		case dst.Truthy() && !at.IsDST():
			at = at.Add(-time.Hour)
		case !dst.Truthy() && at.IsDST():
			at = at.Add(time.Hour)
		}
	}
	if at.Unix() == -1 { // mktime's mark of failure
		return Nil, 1
	}
	return Int(int(at.Unix())), 1
}
