package runtime

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"weak"
)

var ioLib = []libFunc{
	{"close", ioClose},
	{"flush", ioFlush},
	{"input", ioInput},
	{"lines", ioLines},
	{"open", ioOpen},
	{"output", ioOutput},
	{"popen", ioPopen},
	{"read", ioRead},
	{"tmpfile", ioTmpfile},
	{"type", ioType},
	{"write", ioWrite},
}

// fileMethods are the methods and metamethods of files.
var fileMethods = []libFunc{
	{"close", ioClose},
	{"flush", fileFlush},
	{"lines", fileLines},
	{"read", fileRead},
	{"seek", fileSeek},
	{"setvbuf", fileSetvbuf},
	{"write", fileWrite},
	{"__gc", fileGC},
	{"__tostring", fileToString},
}

// stateWriter writes to the standard output of a state, wherever that goes, as print
// does and without a buffer, so that the two keep their order.
type stateWriter struct{ st *State }

func (w stateWriter) Write(p []byte) (int, error) {
	if w.st.Stdout == nil {
		return os.Stdout.Write(p)
	}
	n, err := w.st.Stdout.Write(p)
	if f := w.st.io.stdout; f.unbuffered || f.lineBuffered && bytes.IndexByte(p, '\n') >= 0 {
		w.st.flushOutput()
	}
	return n, err
}

func openIO(st *State) {
	meta := newLib(fileMethods)
	meta.SetStr("__index", TableValue(meta))
	st.io = ioState{meta: meta, open: map[weak.Pointer[luaFile]]struct{}{}}
	st.io.stdout = &luaFile{out: stateWriter{st}, noRead: true}
	stdin := st.newFile(&luaFile{file: os.Stdin, out: os.Stdin, noWrite: true})
	stdout := st.newFile(st.io.stdout)
	st.io.input, st.io.output = stdin, stdout
	t := newLib(ioLib)
	t.SetStr("stdin", UserdataValue(stdin))
	t.SetStr("stdout", UserdataValue(stdout))
	t.SetStr("stderr", UserdataValue(st.newFile(&luaFile{file: os.Stderr, out: os.Stderr, noRead: true})))
	st.addLib("io", t)
}

// fileArg returns the file in argument 0, which must be open.
func (th *Thread) fileArg(args []Value) *luaFile {
	f := th.anyFileArg(args)
	if f.closed {
		th.Errorf("attempt to use a closed file")
	}
	return f
}

// anyFileArg is fileArg for a file that may be closed.
func (th *Thread) anyFileArg(args []Value) *luaFile {
	if len(args) > 0 && args[0].IsUserdata() {
		if f, ok := args[0].Userdata().Data.(*luaFile); ok {
			return f
		}
	}
	th.ArgTypeError(args, 0, "FILE*")
	return nil
}

// standardFile returns the file of a default input or output.
func (th *Thread) standardFile(u *Userdata) *luaFile {
	f := u.Data.(*luaFile)
	if f.closed {
		th.Errorf("standard file is closed")
	}
	return f
}

// openFile opens a file in an fopen mode.
func openFile(name, mode string) (*luaFile, error) {
	name, _, _ = strings.Cut(name, "\x00")
	flags, ok := openMode(mode)
	if !ok {
		return nil, syscall.EINVAL
	}
	file, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return nil, err
	}
	access := flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	return &luaFile{file: file, noRead: access == os.O_WRONLY, noWrite: access == os.O_RDONLY}, nil
}

func ioOpen(th *Thread, args []Value) (Value, int) {
	name := th.CheckString(args, 0)
	f, err := openFile(name, th.OptString(args, 1, "r"))
	if err != nil {
		return th.fileResult(err, name)
	}
	return UserdataValue(th.State.newFile(f)), 1
}

func ioPopen(th *Thread, args []Value) (Value, int) {
	line, mode := th.CheckString(args, 0), th.OptString(args, 1, "r")
	if mode != "r" && mode != "w" {
		return th.fileResult(syscall.EINVAL, line)
	}
	th.State.flushOutput()
	f, err := openPipe(line, mode)
	if err != nil {
		return th.fileResult(err, line)
	}
	return UserdataValue(th.State.newFile(f)), 1
}

func ioTmpfile(th *Thread, _ []Value) (Value, int) {
	file, err := os.CreateTemp("", "lua_")
	if err != nil {
		return th.fileResult(err, "")
	}
	os.Remove(file.Name()) // it lives on until it is closed
	return UserdataValue(th.State.newFile(&luaFile{file: file})), 1
}

func ioType(th *Thread, args []Value) (Value, int) {
	v := th.CheckAny(args, 0)
	if v.IsUserdata() {
		if f, ok := v.Userdata().Data.(*luaFile); ok {
			if f.closed {
				return String("closed file"), 1
			}
			return String("file"), 1
		}
	}
	return Nil, 1
}

func ioInput(th *Thread, args []Value) (Value, int) {
	return th.standard(args, &th.State.io.input, "r")
}

func ioOutput(th *Thread, args []Value) (Value, int) {
	return th.standard(args, &th.State.io.output, "w")
}

// standard sets a default file to the file, or the file of the name, in argument 0,
// and returns it.
func (th *Thread) standard(args []Value, which **Userdata, mode string) (Value, int) {
	if isAbsent(args, 0) {
		return UserdataValue(*which), 1
	}
	if name, ok := toString(args[0]); ok {
		f, err := openFile(name, mode)
		if err != nil {
			text, _ := errnoText(err)
			th.ArgError(0, name+": "+text)
		}
		*which = th.State.newFile(f)
	} else {
		th.anyFileArg(args)
		*which = args[0].Userdata()
	}
	return UserdataValue(*which), 1
}

func ioClose(th *Thread, args []Value) (Value, int) {
	if len(args) == 0 {
		return th.closeFile(th.standardFile(th.State.io.output))
	}
	return th.closeFile(th.fileArg(args))
}

func (th *Thread) closeFile(f *luaFile) (Value, int) {
	if f.out != nil {
		return th.Return2(Nil, String("cannot close standard file"))
	}
	err := f.close()
	if f.cmd != nil {
		return th.execResult(err)
	}
	return th.fileResult(err, "")
}

func ioFlush(th *Thread, _ []Value) (Value, int) {
	return th.flushFile(th.standardFile(th.State.io.output))
}

func fileFlush(th *Thread, args []Value) (Value, int) { return th.flushFile(th.fileArg(args)) }

func (th *Thread) flushFile(f *luaFile) (Value, int) {
	if f == th.State.io.stdout {
		th.State.flushOutput()
	}
	return th.fileResult(f.flush(), "")
}

func ioRead(th *Thread, args []Value) (Value, int) {
	th.State.flushOutput()
	return th.readFormats(th.standardFile(th.State.io.input), args, 0)
}

func fileRead(th *Thread, args []Value) (Value, int) {
	return th.readFormats(th.fileArg(args), args, 1)
}

func ioWrite(th *Thread, args []Value) (Value, int) {
	out := th.State.io.output
	return th.writeValues(th.standardFile(out), UserdataValue(out), args, 0)
}

func fileWrite(th *Thread, args []Value) (Value, int) {
	return th.writeValues(th.fileArg(args), args[0], args, 1)
}

// writeValues writes args[first:] and returns the file, as the 5.2 dialect does.
func (th *Thread) writeValues(f *luaFile, object Value, args []Value, first int) (Value, int) {
	var err error
	if len(args) == first+1 {
		err = f.write(th.CheckString(args, first))
	} else {
		var buf []byte
		for i := first; i < len(args); i++ {
			buf = append(buf, th.CheckString(args, i)...)
		}
		err = f.write(bytesString(buf))
	}
	if err != nil {
		return th.fileResult(err, "")
	}
	return object, 1
}

// seekOrigins are the options of seek, in the order of io.SeekStart and those after it.
var seekOrigins = []string{"set", "cur", "end"}

func fileSeek(th *Thread, args []Value) (Value, int) {
	f := th.fileArg(args)
	whence := slices.Index(seekOrigins, th.checkOption(args, 1, "cur", seekOrigins))
	at, err := f.seek(int64(floatInt(th.OptNumber(args, 2, 0))), whence)
	if err != nil {
		return th.fileResult(err, "")
	}
	return Number(float64(at)), 1
}

func fileSetvbuf(th *Thread, args []Value) (Value, int) {
	f := th.fileArg(args)
	th.CheckString(args, 1)
	mode := th.checkOption(args, 1, "", []string{"no", "line", "full"})
	f.unbuffered, f.lineBuffered = mode == "no", mode == "line"
	return th.flushFile(f)
}

func fileGC(th *Thread, args []Value) (Value, int) {
	if f := th.anyFileArg(args); f.out == nil {
		_ = f.close()
	}
	return Nil, 0
}

func fileToString(th *Thread, args []Value) (Value, int) {
	if th.anyFileArg(args).closed {
		return String("file (closed)"), 1
	}
	return String(fmt.Sprintf("file (%#x)", args[0].address())), 1
}

func ioLines(th *Thread, args []Value) (Value, int) {
	if isAbsent(args, 0) {
		f := th.standardFile(th.State.io.input)
		return th.lineIterator(f, args[min(1, len(args)):], false), 1
	}
	name := th.CheckString(args, 0)
	f, err := openFile(name, "r")
	if err != nil {
		text, _ := errnoText(err)
		th.ArgError(0, name+": "+text)
	}
	th.State.trackFile(f)
	return th.lineIterator(f, args[1:], true), 1
}

func fileLines(th *Thread, args []Value) (Value, int) {
	return th.lineIterator(th.fileArg(args), args[1:], false), 1
}

// lineIterator returns a function that reads by formats, which it keeps. With closes it
// closes the file at its end.
func (th *Thread) lineIterator(f *luaFile, formats []Value, closes bool) Value {
	formats = append([]Value(nil), formats...)
	return NewGoFunction("lines_iter", func(th *Thread, _ []Value) (Value, int) {
		if f.closed {
			th.Errorf("attempt to use a closed file")
		}
		v, n := th.readFormats(f, formats, 0)
		if v.IsNil() {
			if n > 1 && th.Result(n, 1).IsString() {
				th.Errorf("%s", th.Result(n, 1).Str())
			}
			if closes {
				_ = f.close()
			}
		}
		return v, n
	})
}
