package phases

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	rt "github.com/moonphase/moonphase/runtime"
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

// NewHandler makes the phases an http.Handler, for programs that bring their
// own net/http server. Each request goes through the same connection loop,
// phases and filters as in a server that moonphase built; headers arrive in
// net/http's order and spelling. Closing the handler ends its workers.
//
// The error is that of a bad configuration, or of init_by_lua.
func NewHandler(chunks rt.ChunkSet, config HandlerConfig) (*Handler, error) {
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
	p := newProcess(options{prefix: prefix, errorLog: stderrPath}, chunks)
	cycle, err := Compile(tree.Directives, CompileOptions{Prefix: prefix, Log: p.start, Logs: p.logs, Chunks: chunks})
	if err != nil {
		return nil, err
	}
	if err := cycle.InitWorkers(); err != nil {
		return nil, err
	}
	cycle.StartWorkers()
	h := &Handler{cycle: cycle, listener: &listener{process: p, addr: "net/http"}}
	h.listener.bound.Store(newBinding(cycle, cycle.Listens[0]))
	h.proxy = httputil.ReverseProxy{
		Rewrite:       toPhases,
		Transport:     &http.Transport{DialContext: h.dial, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1, // what Lua flushes goes out at once
		ErrorHandler:  noAnswer,
		ErrorLog:      log.New(io.Discard, "", 0), // the phases log for themselves
	}
	return h, nil
}

// A Handler runs the phases behind net/http.
type Handler struct {
	cycle    *Cycle
	listener *listener
	proxy    httputil.ReverseProxy
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithValue(r.Context(), remoteAddrKey{}, r.RemoteAddr)
	h.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// Close runs exit_worker_by_lua and ends the workers.
func (h *Handler) Close() error {
	h.cycle.StopWorkers()
	return nil
}

// remoteAddrKey is the client's address in a request's context.
type remoteAddrKey struct{}

// dial connects a request to the connection loop, in memory.
func (h *Handler) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	remote, _ := ctx.Value(remoteAddrKey{}).(string)
	addr, err := net.ResolveTCPAddr("tcp", remote)
	if err != nil {
		addr = &net.TCPAddr{}
	}
	go h.listener.handle(&memoryConn{theirs, addr})
	return ours, nil
}

// toPhases passes a request on as the client wrote it.
func toPhases(r *httputil.ProxyRequest) {
	path, _, _ := strings.Cut(r.In.RequestURI, "?")
	r.Out.URL = &url.URL{Scheme: "http", Host: "phases", Opaque: path, RawQuery: r.In.URL.RawQuery, ForceQuery: r.In.URL.ForceQuery}
	if strings.HasPrefix(path, "//") { // an Opaque that begins so would be taken for a host
		r.Out.URL.Opaque, r.Out.URL.Path, r.Out.URL.RawPath = "", r.In.URL.Path, r.In.URL.RawPath
	}
	r.Out.Host = r.In.Host
}

// noAnswer ends requests that the phases closed without one (status 444, an
// error after the headers).
func noAnswer(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }

// memoryConn is the phases' side of a request that came by net/http.
type memoryConn struct {
	net.Conn
	remote net.Addr
}

func (c *memoryConn) RemoteAddr() net.Addr { return c.remote }
func (c *memoryConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

var (
	_ http.Handler = (*Handler)(nil)
	_ io.Closer    = (*Handler)(nil)
)
