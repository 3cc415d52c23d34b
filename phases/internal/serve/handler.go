package serve

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/http1"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// HandlerConfig configures NewHandler in nginx's own words.
type HandlerConfig struct {
	// Main, HTTP and Server are directives for the main, http and server
	// levels, such as `worker_processes 4;`, `lua_shared_dict counts 1m;` and
	// `location / { ... }`. Addresses to listen on are the caller's business.
	Main, HTTP, Server string
	// Prefix is what relative paths start at; the working folder when "".
	Prefix string
}

// NewHandler makes the phases of a program an http.Handler. The error is that of a bad
// configuration, or of init_by_lua.
func NewHandler(config HandlerConfig, b Program) (*Handler, error) {
	prefix := config.Prefix
	if prefix == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		prefix = dir
	}
	prefix = strings.TrimSuffix(prefix, "/") + "/"
	text := fmt.Sprintf("%s\nevents {}\nhttp {\n%s\nserver {\nlisten 127.0.0.1:1;\n%s\n}\n}\n", config.Main, config.HTTP, config.Server)
	tree, err := conf.Parse("handler", prefix, []byte(text))
	if err != nil {
		return nil, err
	}
	p := newProcess(options{prefix: prefix, errorLog: errlog.StderrPath}, b)
	cycle, err := core.Compile(tree.Directives, core.CompileOptions{Prefix: prefix, Log: p.start, Logs: p.logs, Modules: b.Modules, Prepare: b.Prepare})
	if err != nil {
		return nil, err
	}
	if err := p.logs.Open(); err != nil {
		return nil, err
	}
	p.logs.LeaveConsole()
	if err := cycle.Start(); err != nil {
		return nil, err
	}
	cycle.Ready()
	p.logs.LeaveConsole()
	return &Handler{cycle: cycle, listen: cycle.Listens[0]}, nil
}

// A Handler runs the phases behind net/http.
type Handler struct {
	cycle  *core.Cycle
	listen *core.Listen
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serveForeign(h.cycle, h.listen, core.ConnNumbers.Add(1), w, r)
}

// Close waits for the requests that are being answered, runs exit_worker_by_lua
// and ends the workers. Requests must no longer come in.
func (h *Handler) Close() error {
	h.cycle.Drain()
	h.cycle.Wait()
	h.cycle.Stop()
	return nil
}

// foreignConn is the Downstream of a request that came through net/http.
type foreignConn struct {
	writer
	req    *http.Request
	r      *core.Request
	out    *responseConn
	number int64
	ssl    *ssl.Connection
}

// responseConn makes a connection for output of a ResponseWriter.
type responseConn struct {
	net.Conn // has no value: only what follows is used
	w        http.ResponseWriter
	control  *http.ResponseController
}

// Write sends at once: the writer has collected before.
func (c *responseConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		return n, err
	}
	if err = c.control.Flush(); errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	return n, err
}

// SetWriteDeadline implements net.Conn, where the server can.
func (c *responseConn) SetWriteDeadline(t time.Time) error { return c.control.SetWriteDeadline(t) }

// serveForeign answers a request of net/http.
func serveForeign(c *core.Cycle, l *core.Listen, number int64, w http.ResponseWriter, req *http.Request) {
	x := &foreignConn{req: req, number: number, out: &responseConn{w: w, control: http.NewResponseController(w)}}
	if req.TLS != nil {
		x.ssl = &ssl.Connection{State: func() tls.ConnectionState { return *req.TLS }}
	}
	x.writer.reset(x.out, nil)
	x.writer.timeout = time.Minute
	c.Begin()
	defer c.End()
	r := c.NewRequest(x, l)
	defer r.Release()
	x.r = r
	status := takeOver(r, req)
	r.Server = l.FindServer(r, r.Host)
	if status == 0 {
		status = ssl.Status(r)
	}
	if status != 0 {
		r.ServeError(status)
	} else {
		r.Serve()
	}
	if r.Terminated {
		// The only way to end a net/http response without completing it.
		panic(http.ErrAbortHandler)
	}
}

// takeOver takes a request of net/http over. It returns a status when nginx would
// refuse it.
func takeOver(r *core.Request, req *http.Request) int {
	r.Method, r.RequestURI = req.Method, req.RequestURI
	r.RequestLine = req.Method + " " + req.RequestURI + " " + req.Proto
	r.HTTPMajor, r.HTTPMinor, r.Protocol = req.ProtoMajor, req.ProtoMinor, req.Proto
	r.In.Add("Host", req.Host)
	for name, values := range req.Header {
		for _, v := range values {
			r.In.Add(name, v)
		}
	}
	r.ContentLength, r.KeepAlive = req.ContentLength, true
	if req.ContentLength < 0 {
		r.Chunked = true
	} else if req.ContentLength == 0 && !r.In.Has("Content-Length") {
		r.ContentLength = -1
	}
	host, port, ok := http1.SplitHost(req.Host)
	if !ok {
		return 400
	}
	r.Host, r.Port = host, port
	if r.URI, r.Args, ok = http1.NormalizePath(req.RequestURI, true); !ok || !strings.HasPrefix(r.URI, "/") {
		return 400
	}
	return 0
}

// WriteHead implements HeadWriter: it gives the head to net/http, without the
// lines that only make sense between two HTTP/1 peers.
func (x *foreignConn) WriteHead(r *core.Request) {
	header := x.out.w.Header()
	for _, line := range bytes.Split(r.AppendHead(nil), core.CRLF)[1:] {
		name, value, ok := strings.Cut(string(line), ": ")
		switch {
		case !ok, ngxtext.EqualFold(name, "Connection"), ngxtext.EqualFold(name, "Keep-Alive"), ngxtext.EqualFold(name, "Transfer-Encoding"):
		default:
			header[name] = append(header[name], value)
		}
	}
	x.out.w.WriteHeader(max(r.Out.Status, 100))
}

// WriteTrailers gives the fields behind the body to net/http.
func (x *foreignConn) WriteTrailers(fields []core.Header) {
	for _, f := range fields {
		x.out.w.Header().Add(http.TrailerPrefix+f.Name, f.Value)
	}
}

// EndBody implements HeadWriter: net/http sees it by itself.
func (x *foreignConn) EndBody() {}

// ReadBody implements Downstream.
func (x *foreignConn) ReadBody(p []byte) (int, error) {
	n, err := x.req.Body.Read(p)
	if x.r != nil {
		x.r.BodyReceived += int64(n)
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// SkipBody implements Downstream. What was read ahead is the other server's
// business.
func (x *foreignConn) SkipBody() error { return nil }

// Interim implements Downstream: net/http sends interim responses itself.
func (x *foreignConn) Interim([]byte) error { return nil }

// InterruptRead implements Downstream.
func (x *foreignConn) InterruptRead() { _ = x.out.control.SetReadDeadline(time.Unix(1, 0)) }

// Aborted implements Downstream.
func (x *foreignConn) Aborted() <-chan struct{} { return x.req.Context().Done() }

// Number implements Downstream.
func (x *foreignConn) Number() int64 { return x.number }

// Requests implements Downstream. How many others share the connection is not
// known.
func (x *foreignConn) Requests() int64 { return 1 }

// RemoteAddr implements Downstream.
func (x *foreignConn) RemoteAddr() net.Addr { return textAddr(x.req.RemoteAddr) }

// LocalAddr implements Downstream.
func (x *foreignConn) LocalAddr() net.Addr {
	if a, ok := x.req.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a
	}
	return textAddr("")
}

// NetConn implements Downstream. There is no connection to hand out: it gives
// one that is closed.
func (x *foreignConn) NetConn() net.Conn { return closedConn() }

// closedConn is a connection that is closed.
func closedConn() net.Conn {
	here, there := net.Pipe()
	_ = here.Close()
	_ = there.Close()
	return here
}

// SSL implements Downstream.
func (x *foreignConn) SSL() *ssl.Connection { return x.ssl }

// TLS implements Downstream.
func (x *foreignConn) TLS() bool { return x.req.TLS != nil }

// textAddr is an address of which only the text is known.
type textAddr string

func (a textAddr) Network() string { return "tcp" }
func (a textAddr) String() string  { return string(a) }
