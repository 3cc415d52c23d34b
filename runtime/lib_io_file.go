package runtime

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"weak"
)

// luaFile is the Go side of a Lua file object. Reads and writes are buffered as C's
// stdio does; a file has at most one of the buffers in use at a time.
type luaFile struct {
	file *os.File // nil for the standard output of a state with a writer of its own
	out  Writer   // where writes go without a buffer: the standard streams
	r    *bufio.Reader
	w    *bufio.Writer
	cmd  *exec.Cmd // of popen

	noRead, noWrite          bool // by the mode it was opened in
	unbuffered, lineBuffered bool // by setvbuf
	closed                   bool
}

// fileBuffer is the size in bytes of a file's buffer.
const fileBuffer = 16 << 10

// ioState is the io library's part of a State.
type ioState struct {
	meta          *Table // metatable of files
	input, output *Userdata
	stdout        *luaFile

	// open holds the files that may have something to flush when the state closes.
	// A file that Lua no longer reaches flushes and closes itself (finalizer).
	open  map[weak.Pointer[luaFile]]struct{}
	limit int // of open, before it is pruned
}

// newFile returns the file object for f.
func (st *State) newFile(f *luaFile) *Userdata {
	if f.out == nil {
		st.trackFile(f)
	}
	return &Userdata{Data: f, Meta: st.io.meta}
}

func (st *State) trackFile(f *luaFile) {
	s := &st.io
	if len(s.open) >= s.limit {
		for p := range s.open {
			if v := p.Value(); v == nil || v.closed {
				delete(s.open, p)
			}
		}
		s.limit = 2*len(s.open) + 16
	}
	s.open[weak.Make(f)] = struct{}{}
	runtime.SetFinalizer(f, func(f *luaFile) { _ = f.close() })
}

// Close flushes and closes the files that the state's scripts left open.
func (st *State) Close() {
	st.flushOutput()
	for p := range st.io.open {
		if f := p.Value(); f != nil {
			_ = f.close()
		}
	}
	clear(st.io.open)
}

// flushOutput flushes the writer that the host gave for the standard output.
func (st *State) flushOutput() {
	if w, ok := st.Stdout.(interface{ Flush() error }); ok {
		_ = w.Flush()
	}
}

// reader returns the read buffer, after what was written is flushed.
func (f *luaFile) reader() (*bufio.Reader, error) {
	if f.file == nil || f.noRead {
		return nil, syscall.EBADF
	}
	if err := f.flush(); err != nil {
		return nil, err
	}
	if f.r == nil {
		f.r = bufio.NewReaderSize(f.file, fileBuffer)
	}
	return f.r, nil
}

// writer returns where writes go, after the file's position is moved back to where
// Lua's reads ended.
func (f *luaFile) writer() (io.Writer, error) {
	switch {
	case f.noWrite:
		return nil, syscall.EBADF
	case f.out != nil:
		return f.out, nil
	}
	if err := f.dropRead(); err != nil {
		return nil, err
	}
	if f.w == nil {
		f.w = bufio.NewWriterSize(f.file, fileBuffer)
	}
	return f.w, nil
}

// dropRead gives up what is in the read buffer.
func (f *luaFile) dropRead() error {
	if f.r == nil || f.r.Buffered() == 0 {
		return nil
	}
	_, err := f.file.Seek(-int64(f.r.Buffered()), io.SeekCurrent)
	f.r.Reset(f.file)
	return err
}

func (f *luaFile) flush() error {
	if f.w == nil {
		return nil
	}
	err := f.w.Flush()
	if err != nil {
		f.w.Reset(f.file) // stdio drops what it could not write
	}
	return err
}

// write writes text, as far as setvbuf says through to the system.
func (f *luaFile) write(text string) error {
	w, err := f.writer()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		if f.w != nil {
			f.w.Reset(f.file)
		}
		return err
	}
	if f.unbuffered || f.lineBuffered && strings.IndexByte(text, '\n') >= 0 {
		return f.flush()
	}
	return nil
}

func (f *luaFile) seek(offset int64, whence int) (int64, error) {
	if f.file == nil {
		return 0, syscall.ESPIPE
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	if f.r != nil && whence == io.SeekCurrent {
		offset -= int64(f.r.Buffered())
	}
	at, err := f.file.Seek(offset, whence)
	if err == nil && f.r != nil {
		f.r.Reset(f.file)
	}
	return at, err
}

// close flushes and closes the file and waits for the command of a popen.
func (f *luaFile) close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	runtime.SetFinalizer(f, nil)
	err := f.flush()
	if f.file != nil {
		if e := f.file.Close(); err == nil {
			err = e
		}
	}
	if f.cmd != nil {
		return f.cmd.Wait()
	}
	return err
}

// openMode returns the flags of an fopen mode: r, w or a, then letters of which glibc knows
// +, x, b and e, looks at six and overlooks the others.
func openMode(mode string) (int, bool) {
	mode, _, _ = strings.Cut(mode, "\x00")
	if mode == "" {
		return 0, false
	}
	flags, access := 0, os.O_WRONLY
	switch mode[0] {
	case 'r':
		access = os.O_RDONLY
	case 'w':
		flags = os.O_CREATE | os.O_TRUNC
	case 'a':
		flags = os.O_CREATE | os.O_APPEND
	default:
		return 0, false
	}
	more := mode[1:min(len(mode), 7)]
	if strings.Contains(more, "+") {
		access = os.O_RDWR
	}
	if strings.Contains(more, "x") {
		flags |= os.O_EXCL
	}
	return flags | access, true
}

// openPipe starts a command whose output is read (mode r) or input written (w).
func openPipe(line, mode string) (*luaFile, error) {
	cmd := shell(line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	f := &luaFile{file: r, cmd: cmd, noWrite: mode == "r", noRead: mode == "w"}
	theirs := w
	if mode == "r" {
		cmd.Stdout = w
	} else {
		cmd.Stdin = r
		f.file, theirs = w, r
	}
	if err := cmd.Start(); err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	theirs.Close()
	return f, nil
}
