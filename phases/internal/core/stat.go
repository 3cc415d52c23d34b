package core

import "sync/atomic"

// Stat counts the connections and requests of the process since it began
// (ngx_stat_accepted and its kin).
type Stat struct {
	Accepted, Handled int64 // connections; handled ones had a place among worker_connections
	Requests          int64
	Active            int64 // open connections: Reading, Writing and Waiting together, but for HTTP/2
	Reading           int64 // a head is coming in
	Writing           int64 // requests that are being answered
	Waiting           int64 // for a request
}

// flow counts the requests of a configuration.
type flow struct{ begun, ended atomic.Int64 }

// Begin notes that a request has come; Drain and Wait wait for its End.
func (c *Cycle) Begin() { c.flow.begun.Add(1) }

// End notes that a request has been answered.
func (c *Cycle) End() { c.flow.ended.Add(1) }

// Begun is how many requests have come, Running how many of them have not ended.
func (c *Cycle) Begun() int64 { return c.flow.begun.Load() }

// Running is how many requests have not ended. What has ended is asked first, so that the number is never
// below the truth.
func (c *Cycle) Running() int64 {
	ended := c.flow.ended.Load()
	return c.flow.begun.Load() - ended
}

// StatOf is the state of the process as the request sees it: one that is being logged
// has been written. Behind another server only requests are known.
func StatOf(r *Request) Stat {
	c := r.Cycle
	s := Stat{Requests: c.Begun(), Writing: c.Running()}
	if c.ProcessStat != nil {
		s = c.ProcessStat()
	}
	if r.Main.Logging {
		s.Writing--
	}
	return s
}
