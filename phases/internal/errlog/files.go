package errlog

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moonphase/moonphase/phases/conf"
)

// Files are the log files of a process, shared by the configurations that it
// goes through. A file is opened once, however many directives name it.
type Files struct {
	mu     sync.Mutex
	byPath map[string]*File
	// console is set while the process starts: warnings and worse are then also
	// written to the standard error, where whoever started it sees them.
	console atomic.Bool
	// fallback takes what cannot be said in a log that only goes to syslog.
	fallback atomic.Pointer[Log]
	maxLine  atomic.Int32
}

// SetMaxLine says what lines are cut to, in bytes with their line feed.
func (s *Files) SetMaxLine(n int) { s.maxLine.Store(int32(n)) }

// NewFiles returns an empty set that also writes to the console until
// LeaveConsole is called.
func NewFiles() *Files {
	f := &Files{byPath: map[string]*File{}}
	f.console.Store(true)
	f.maxLine.Store(MaxLine)
	return f
}

// LeaveConsole says that the process has started.
func (s *Files) LeaveConsole() { s.console.Store(false) }

// File is one file that lines are appended to, each by one write, or what stands
// for one.
type File struct {
	path   string
	file   atomic.Pointer[os.File]
	peer   *Syslog     // in place of a file
	memory *memoryRing // in place of a file

	mu      sync.Mutex
	flushes []*func() // write what is held back of the file
}

// OnFlush has flush called before the file is opened anew and at the end of the
// process, until forget is called: it writes what is held back (ngx_open_file_t's
// flush).
func (f *File) OnFlush(flush func()) (forget func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes = append(f.flushes, &flush)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flushes = slices.DeleteFunc(f.flushes, func(g *func()) bool { return g == &flush })
	}
}

// Syslog is the syslog server in place of the file, nil for a file.
func (f *File) Syslog() *Syslog { return f.peer }

// flush writes what others hold back of the file.
func (f *File) flush() {
	f.mu.Lock()
	list := slices.Clone(f.flushes)
	f.mu.Unlock()
	for _, flush := range list {
		(*flush)()
	}
}

// memoryRing is a log in memory, for a debugger to read: the last bytes of it
// (error_log memory:SIZE).
type memoryRing struct {
	mu  sync.Mutex
	buf []byte
	at  int
}

func (m *memoryRing) write(line []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(line) > 0 {
		n := copy(m.buf[m.at:], line)
		m.at, line = (m.at+n)%len(m.buf), line[n:]
	}
}

// NewMemory returns a log in memory that holds the last bytes of what is written.
func NewMemory(bytes int64) *File { return &File{memory: &memoryRing{buf: make([]byte, bytes)}} }

// StderrPath is how configurations name the standard error.
const StderrPath = "stderr"

// Get gives the entry for path; it is opened by Open.
func (s *Files) Get(path string) *File {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byPath[path]
	if f == nil {
		f = &File{path: path}
		if path == StderrPath {
			f.file.Store(os.Stderr)
		}
		s.byPath[path] = f
	}
	return f
}

// SetFallback names the log for what cannot be said in one that only goes to syslog.
func (s *Files) SetFallback(l *Log) { s.fallback.Store(l) }

// GetSyslog gives the entry for a syslog server, named as in the configuration.
func (s *Files) GetSyslog(name string) (*File, error) {
	peer, err := parseSyslog(strings.TrimPrefix(name, "syslog:"))
	if err != nil {
		return nil, err
	}
	f := s.Get(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.peer == nil {
		f.peer = peer
	}
	return f, nil
}

// Open opens the files that are not open yet.
func (s *Files) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byPath {
		if f.file.Load() == nil && f.peer == nil {
			if err := f.open(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush writes what is held back of the files.
func (s *Files) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byPath {
		f.flush()
	}
}

// Reopen opens all files anew, as after they were renamed (signal USR1). Files
// that cannot be opened stay as they are and are reported.
func (s *Files) Reopen() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.byPath {
		if f.path == StderrPath || f.peer != nil {
			continue
		}
		f.flush()
		old := f.file.Load()
		if err := f.open(); err != nil {
			errs = append(errs, err)
		} else if old != nil {
			_ = old.Close()
		}
	}
	return errs
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return &conf.Error{Msg: fmt.Sprintf(`open() "%s" failed (%s)`, f.path, conf.Errno(err))}
	}
	f.file.Store(file)
	return nil
}

// Write appends one line. A line that cannot be written is lost: there is no
// better place for it.
func (f *File) Write(line []byte) {
	if f.memory != nil {
		f.memory.write(line)
		return
	}
	if file := f.file.Load(); file != nil {
		_, _ = file.Write(line)
	}
}
