package serve

import (
	"fmt"
	"syscall"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// shutdown stops accepting, lets requests finish and ends idle connections
// (SIGQUIT). What is left after worker_shutdown_timeout is cut off.
func (p *Process) shutdown() {
	p.closeListeners()
	c := p.Cycle.Load()
	p.log(errlog.Notice, "gracefully shutting down")
	c.Drain()
	ended := p.endConns()
	if t := c.Main.ShutdownTimeout.V; t > 0 {
		select {
		case <-ended:
		case <-time.After(t):
			p.cutConns(c)
			select {
			case <-ended:
			case <-time.After(killTime):
			}
		}
	} else {
		<-ended
	}
	c.Each(func(m *core.Module) func(*core.Cycle) { return m.Wait })
	p.old.Wait()
	p.exit(c)
}

// killTime is how long what was told to end at once may take: nginx's master kills
// workers that have not obeyed by then.
const killTime = 3150 * time.Millisecond

// terminate ends without waiting for requests (SIGTERM), also in the middle of a
// shutdown.
func (p *Process) terminate() {
	p.stopping.Store(true)
	p.closeListeners()
	done := make(chan struct{})
	guard.Go(func() {
		defer close(done)
		p.exit(p.Cycle.Load())
	})
	select {
	case <-done:
	case <-time.After(killTime):
	}
}

// exit runs exit_worker_by_lua, once.
func (p *Process) exit(c *core.Cycle) {
	p.exited.Do(func() {
		p.log(errlog.Notice, "exiting")
		c.Stop()
	})
}

func (p *Process) closeListeners() {
	for _, l := range p.listeners {
		_ = l.socket.Close()
	}
}

// endConns ends the connections that wait for a further request. The channel is
// closed when all others have ended too.
func (p *Process) endConns() <-chan struct{} {
	idle := make(chan struct{})
	p.mu.Lock()
	if len(p.conns) == 0 {
		close(idle)
	} else {
		p.idle = idle
	}
	p.mu.Unlock()
	p.interruptConns()
	return idle
}

// interruptConns ends the connections that wait for a further request, and tells
// clients of HTTP/2 to make none.
func (p *Process) interruptConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.interrupt()
	}
}

// cutConns ends all requests and closes their connections.
func (p *Process) cutConns(c *core.Cycle) {
	p.mu.Lock()
	for conn := range p.conns {
		_ = conn.socket.Close()
	}
	p.mu.Unlock()
	c.Each(func(m *core.Module) func(*core.Cycle) { return m.Cut })
}

// warnFiles tells of worker_connections for which the system has no descriptors.
func (p *Process) warnFiles(c *core.Cycle) {
	var limit syscall.Rlimit
	if c.Main.Rights.NoFiles.Set || syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	want := uint64(c.Main.Connections.V) * uint64(max(c.Main.WorkerProcesses.V, 1))
	if uint64(limit.Cur) < want { // it is signed on some systems
		p.log(errlog.Warn, fmt.Sprintf("%d worker_connections exceed open file resource limit: %d", want, limit.Cur))
	}
}
