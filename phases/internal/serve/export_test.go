package serve

// Drained is closed when all is done after SIGQUIT.
func (p *Process) Drained() <-chan struct{} { return p.drained }

// CutConns ends all requests and closes their connections.
func (p *Process) CutConns() { p.cutConns(p.Cycle.Load()) }

// SlotsUsed counts the connections that are open.
func (p *Process) SlotsUsed() int64 { return p.slots.used.Load() }
