package core

import (
	"fmt"

	"github.com/moonphase/moonphase/phases/conf"
)

func setHTTP(c *Compiler, d *conf.Directive) error {
	if c.http {
		return ErrDuplicate
	}
	c.http = true
	root := c.NewLevel(Location{Kind: MatchServer})
	defaults := c.NewServer()
	c.Cycle.HTTP = root
	if err := c.Within(InHTTP, d, func() { c.Loc, c.Srv = root, defaults }); err != nil {
		return err
	}
	if c.incomplete {
		return nil
	}
	return c.endHTTP(root, defaults)
}

// endHTTP merges all levels and builds what requests look things up in.
func (c *Compiler) endHTTP(root *Location, defaults *Server) error {
	eachSlot(c.modules, slotMain, func(i int, s ConfSlot) { s.inherit(c.Cycle.confs[i], s.fresh(), false) })
	if err := root.merge(c, c.NewLevel(Location{})); err != nil {
		return err
	}
	defaults.merge(c.modules, c.NewServer())
	for _, s := range c.Cycle.servers {
		s.merge(c.modules, defaults)
		if s.LargeHeaders.V.Size < s.connectionPool.V {
			return fmt.Errorf("the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"")
		}
		if err := c.mergeTree(s.Loc, root); err != nil {
			return err
		}
		for _, l := range s.named {
			if err := c.mergeTree(l, s.Loc); err != nil {
				return err
			}
		}
		s.Loc.buildTree()
	}
	return nil
}

// mergeTree merges l with the level around it, then the levels below it.
func (c *Compiler) mergeTree(l, outer *Location) error {
	if err := l.merge(c, outer); err != nil {
		return err
	}
	for _, child := range l.children {
		if err := c.mergeTree(child, l); err != nil {
			return err
		}
	}
	for _, inner := range l.Ifs {
		if err := inner.merge(c, l); err != nil {
			return err
		}
	}
	return nil
}

// indexNames makes what servers are found by.
func (c *Compiler) indexNames() error {
	for _, l := range c.Cycle.Listens {
		for _, s := range l.servers {
			if err := l.names.add(c, l.Addr, s, len(l.servers) == 1); err != nil {
				return err
			}
		}
		l.names.sort()
	}
	return nil
}

// finish checks what only the whole configuration tells.
func (c *Compiler) finish() error {
	for _, f := range c.AfterMerge {
		if err := f(); err != nil {
			return err
		}
	}
	if err := c.checkPools(); err != nil {
		return err
	}
	if err := c.settleVariables(); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if err := c.checkZones(); err != nil {
		return err
	}
	m := &c.Cycle.Main
	m.Daemon.Merge(Opt[bool]{}, true)
	m.MasterProcess.Merge(Opt[bool]{}, true)
	m.WorkerProcesses.Merge(Opt[int]{}, 1)
	m.Connections.Merge(Opt[int]{}, 512)
	if n := len(c.Cycle.Listens); m.Connections.V <= n {
		return &conf.Error{Msg: fmt.Sprintf("%d worker_connections are not enough for %d listening sockets", m.Connections.V, n)}
	}
	if m.errorLog.V != nil {
		c.Cycle.Log = m.errorLog.V
	}
	for _, m := range c.modules {
		if m.Finish != nil {
			if err := m.Finish(c); err != nil {
				return err
			}
		}
	}
	return c.indexNames()
}
