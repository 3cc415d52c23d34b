// Package testserver starts whole servers inside tests, with all modules.
package testserver

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/modules"
	"github.com/moonphase/moonphase/phases/internal/serve"
	rt "github.com/moonphase/moonphase/runtime"
)

// Server is a process that serves a configuration inside the test.
type Server struct {
	T testing.TB
	*serve.Process
	Dir string // the prefix, a folder of the test
	// Addr is the address that stands for ADDR in the configuration.
	Addr string
}

// Start serves conf, in which ADDR stands for a free address and DIR for the prefix,
// until the test ends. Lua code is in chunks, see Chunk.
func Start(t testing.TB, conf string, chunks ...*rt.Chunk) *Server {
	t.Helper()
	s := &Server{T: t, Dir: t.TempDir(), Addr: FreeAddr(t)}
	for _, name := range []string{"logs", "conf", "html"} {
		if err := os.Mkdir(filepath.Join(s.Dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Write("conf/nginx.conf", s.Expand(conf))
	var err error
	if s.Process, err = run(t, chunks, "-p", s.Dir, "-e", "logs/error.log"); err != nil {
		t.Fatalf("%v\n%s", err, s.Read("logs/error.log"))
	}
	return s
}

// Run serves what a command line of nginx names, until the test ends.
func Run(t testing.TB, chunks rt.ChunkSet, args ...string) {
	t.Helper()
	if _, err := run(t, chunks, args...); err != nil {
		t.Fatal(err)
	}
}

func run(t testing.TB, chunks rt.ChunkSet, args ...string) (*serve.Process, error) {
	keepEnv(t)
	p, err := serve.Start(args, serve.Program{Modules: modules.All(), Prepare: lua.BinaryCode{Chunks: chunks}.Prepare})
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

// keepEnv restores the environment, which a server takes for its own.
func keepEnv(t testing.TB) {
	env := os.Environ()
	t.Cleanup(func() {
		for _, e := range env {
			k, v, _ := strings.Cut(e, "=")
			_ = os.Setenv(k, v)
		}
	})
}

// Chunk is the code of a *_by_lua_block with this source, such as
// Chunk("content_by_lua", " x ", f) for content_by_lua_block { x }: it runs f.
func Chunk(directive, source string, f func(th *rt.Thread)) *rt.Chunk {
	return &rt.Chunk{
		Key: Key(directive, source),
		Main: func(th *rt.Thread, _ *rt.Env, _ []rt.Value) (rt.Value, int) {
			f(th)
			return rt.Nil, 0
		},
	}
}

// Key is the cache key of a *_by_lua_block with this source.
func Key(directive, source string) string {
	sum := md5.Sum([]byte(source))
	return directive + "_nhli_" + hex.EncodeToString(sum[:])
}

// FreeAddr is an address nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Expand puts the server's own address and folder into text.
func (s *Server) Expand(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "ADDR", s.Addr), "DIR", s.Dir)
}

// Write writes a file below the prefix.
func (s *Server) Write(name, text string) {
	s.T.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
		s.T.Fatal(err)
	}
}

// Read gives the text of a file below the prefix, or why there is none.
func (s *Server) Read(name string) string {
	b, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// WantLog waits until the error log has a text: lines are written when the client
// may have its answer already.
func (s *Server) WantLog(want string) {
	s.T.Helper()
	var log string
	for range 200 {
		if log = s.Read("logs/error.log"); strings.Contains(log, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.T.Errorf("no %q in\n%s", want, log)
}

// Dial opens a connection that lives ten seconds at most.
func (s *Server) Dial() net.Conn {
	s.T.Helper()
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// Ask sends raw text and returns what comes back until the server closes.
func (s *Server) Ask(text string) string {
	s.T.Helper()
	c := s.Dial()
	_, _ = io.WriteString(c, text)
	b, _ := io.ReadAll(c)
	return string(b)
}

// Get asks for a URI and returns status line, headers and body.
func (s *Server) Get(uri string, headers ...string) string {
	s.T.Helper()
	lines := append([]string{"GET " + uri + " HTTP/1.1", "Host: h", "Connection: close"}, headers...)
	return s.Ask(strings.Join(lines, "\r\n") + "\r\n\r\n")
}
