package lua

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	rt "github.com/moonphase/moonphase/runtime"
	"github.com/moonphase/moonphase/runtime/cosocket"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// openSockets adds ngx.socket to the ngx table.
func (api *ngxAPI) openSockets() {
	api.pools = cosocket.NewPools(func(line string) {
		if log := api.worker.cycle.Log; log != nil && log.Enabled(errlog.Debug) {
			log.Output(errlog.Debug, 0, line)
		}
	})
	api.pools.Slots = socketSlots{api.worker.cycle}
	l := cosocket.NewLib(
		func(th *rt.Thread) cosocket.Host { return socketHostOf(th) },
		func(th *rt.Thread) string { return caller.Of(th).Refusal(caller.Wait, caller.NoRequest) })
	if api.worker.cycle.Stack.Has(compat.SocketAccess) {
		l.AddAccess()
	}
	api.sockets = l
	tcp := rt.NewGoFunction("tcp", l.TCP)
	t := rt.NewTable(0, 4)
	t.SetStr("tcp", tcp)
	t.SetStr("stream", tcp)
	t.SetStr("udp", rt.NewGoFunction("udp", l.UDP))
	t.SetStr("connect", rt.NewGoFunction("connect", l.Connect))
	api.ngx.SetStr("socket", rt.TableValue(t))
}

// socketSlots opens the connections of cosockets.
type socketSlots struct{ cycle *core.Cycle }

// Dial implements cosocket.Slots.
func (s socketSlots) Dial(dial func() (net.Conn, error)) (net.Conn, error) {
	nc, err := s.cycle.Dial(dial)
	if core.IsConnLimit(err) {
		err = &cosocket.NoSlotsError{Reason: err.Error()}
	}
	return nc, err
}

// socketHost is a request or timer as its sockets see it.
type socketHost struct {
	r    *core.Request // nil for a timer
	c    *runCtx       // of a timer
	api  *ngxAPI
	cfg  cosocket.Config
	loc  *core.Location // that cfg is of
	open cosocket.Set
	over bool // the request or timer has ended
}

// socketHostOf returns the socket side of whoever runs on th, making it when these
// are its first sockets.
func socketHostOf(th *rt.Thread) *socketHost {
	c := ctxOf(th)
	if c.Phase == caller.PhaseInit {
		th.Errorf(caller.NoRequest)
	}
	at := &c.sockets
	if c.Request != nil {
		at = &note.Of(c.Request).sockets
	}
	if *at == nil {
		h := &socketHost{r: c.Request, c: c, api: apiOf(th)}
		if *at = h; c.Request != nil {
			keepSockets(c.Request, h)
		}
	}
	return *at
}

// closeSockets closes what the script left open; the caller holds the baton.
func (h *socketHost) closeSockets() {
	if h != nil {
		h.over = true
		h.open.CloseAll()
	}
}

// keepSockets notes the sockets of a request or subrequest, which live as long as the
// main request. The caller holds the baton, which all of them run under.
func keepSockets(r *core.Request, h *socketHost) {
	main := note.Of(r.Main)
	if len(main.open) == 0 {
		r.OnEnd(closeSockets)
	}
	main.open = append(main.open, h)
}

// closeSockets closes the sockets of a main request and its subrequests at its end.
func closeSockets(main *core.Request) {
	for _, h := range note.Of(main).open {
		h.closeUnderBaton()
	}
}

func (h *socketHost) closeUnderBaton() {
	baton := h.api.worker.baton
	baton.Acquire()
	defer baton.Release()
	h.closeSockets()
}

// Ended implements cosocket.Host. The host itself is made anew for each request, which
// a *Request is not.
func (h *socketHost) Ended() bool { return h.over }

// Waits implements cosocket.Host.
func (h *socketHost) Waits(th *rt.Thread) bool { return ctxOf(th).Phase.CanYield() }

// location is where the request is, or was when it ended.
func (h *socketHost) location() *core.Location {
	if h.over {
		return h.loc
	}
	if h.r != nil {
		return h.r.Loc
	}
	return h.c.Location()
}

// Config implements cosocket.Host.
func (h *socketHost) Config() *cosocket.Config {
	if at := h.location(); at != h.loc && at != nil { // nil: the request has ended
		h.loc = at
		l := loc.Of(at)
		h.cfg = cosocket.Config{
			ConnectTimeout:   l.socketConnectTimeout.V,
			SendTimeout:      l.socketSendTimeout.V,
			ReadTimeout:      l.socketReadTimeout.V,
			KeepaliveTimeout: l.socketKeepaliveTimeout.V,
			PoolSize:         l.socketPoolSize.V,
			BufferSize:       int(l.socketBufferSize.V),
			LogErrors:        l.socketLogErrors.V,
			NoDelay:          at.TCPNodelay.V,
			NamesPeers:       h.api.worker.cycle.Stack.Has(compat.SocketUpstreams),
			ChecksNumbers:    h.api.worker.cycle.Stack.Has(compat.CheckedSockets),
		}
	}
	return &h.cfg
}

var socketLevels = [...]errlog.Level{cosocket.Debug: errlog.Debug, cosocket.Error: errlog.Err, cosocket.Crit: errlog.Crit, cosocket.Alert: errlog.Alert}

// Logs implements cosocket.Host.
func (h *socketHost) Logs(level cosocket.Level) bool {
	return h.context().LogEnabled(socketLevels[level])
}

// Log implements cosocket.Host.
func (h *socketHost) Log(level cosocket.Level, line string) {
	h.context().Log(socketLevels[level], line)
}

// context is what to log by. That of a request's first handler may be gone.
func (h *socketHost) context() *caller.Context {
	if h.r != nil {
		return &caller.Context{Request: h.r, Cycle: h.api.worker.cycle}
	}
	return &h.c.Context
}

// Open implements cosocket.Host.
func (h *socketHost) Open() *cosocket.Set { return &h.open }

// Pools implements cosocket.Host.
func (h *socketHost) Pools() *cosocket.Pools { return h.api.pools }

// Resolve implements cosocket.Host.
func (h *socketHost) Resolve(th *rt.Thread, name string) (address, failure string) {
	l := h.location()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var err error
	th.Block(cancel, func() { address, err = l.Resolve(ctx, h.api.worker.cycle.Log, name) })
	switch {
	case err == nil:
		return address, ""
	case errors.Is(err, core.ErrNoResolver):
		before, _, _ := strings.Cut(name, "\x00") // what C prints of it
		return "", "no resolver defined to resolve \"" + before + "\""
	}
	return "", err.Error()
}

// TLS implements cosocket.Trust.
func (h *socketHost) TLS() (*tls.Config, *openssl.Verifier) {
	conf := loc.Of(h.location())
	config := conf.ssl.Config.Clone()
	if conf.keyLog.V != "" {
		config.KeyLogWriter = keyLog(conf.keyLog.V)
	}
	return config, conf.ssl.Verifier
}

// keyLog appends the secrets of connections to a file, in the format that Wireshark reads
// (lua_ssl_key_log).
type keyLog string

// Write implements io.Writer.
func (path keyLog) Write(line []byte) (int, error) {
	f, err := os.OpenFile(string(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Write(line)
}
