package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A job is what one server instance goes through: a block, or the blocks of a file
// that are loaded one after another into the same server by HUP.
type job []*block

func makeJobs(blocks []*block) []job {
	var jobs []job
	hup := map[string]int{}
	for _, b := range blocks {
		if !b.UseHUP {
			jobs = append(jobs, job{b})
			continue
		}
		i, ok := hup[b.file()]
		if !ok {
			i = len(jobs)
			hup[b.file()] = i
			jobs = append(jobs, nil)
		}
		jobs[i] = append(jobs[i], b)
	}
	return jobs
}

// claims keeps blocks that need the same fixed address apart.
type claims struct{ locks sync.Map }

func (c *claims) take(names []string) (release func()) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var held []*sync.Mutex
	for _, name := range names {
		m, _ := c.locks.LoadOrStore(name, new(sync.Mutex))
		m.(*sync.Mutex).Lock()
		held = append(held, m.(*sync.Mutex))
	}
	return func() {
		for _, m := range held {
			m.Unlock()
		}
	}
}

// A runner runs jobs against one target.
type runner struct {
	target target
	work   string // server roots are made below it
	keep   bool   // leave the roots of failed blocks for inspection
	claims claims
}

// run runs a job and reports the outcome of each of its blocks.
func (r *runner) run(j job, report func(*block, error)) {
	var names []string
	for _, b := range j {
		names = append(names, b.exclusive()...)
	}
	defer r.claims.take(names)()
	s := j[0].server(r.work, r.target)
	failed := false
	for _, b := range j {
		err := errors.Join(s.races(), r.runBlock(s, b), s.races())
		failed = failed || err != nil
		report(b, err)
	}
	s.stop()
	if !failed || !r.keep {
		os.RemoveAll(s.dir())
	}
}

func (r *runner) runBlock(s *server, b *block) (err error) {
	if err := s.lay(b); err != nil {
		return err
	}
	stopPeers, err := b.startPeers()
	defer func() {
		if wrong := stopPeers(); err == nil {
			err = wrong
		}
	}()
	if err != nil {
		return err
	}
	switch {
	case s.pid != 0:
		s.newLog()
		s.reload()
	default:
		err := s.start(b.environment())
		if b.has("must_die") {
			if err == nil {
				return errors.New("must_die: the server runs")
			}
			return b.checkLog(s.newLog(), 0)
		}
		if err != nil {
			return err
		}
	}
	for i := range max(1, b.Repeat) {
		if err := b.runOnce(s, i); err != nil {
			return err
		}
	}
	if b.has("shutdown_error_log") || b.has("no_shutdown_error_log") {
		s.stop()
		log := s.newLog()
		return errors.Join(b.checkOccurs("shutdown_error_log", log, true), b.checkOccurs("no_shutdown_error_log", log, false))
	}
	return nil
}

// logDelay is how long a server may take to log what happens after the response.
const logDelay = 45 * time.Millisecond

// runOnce sends the requests of the block once and checks answers and log.
func (b *block) runOnce(s *server, repeat int) error {
	if repeat > 0 {
		if err := s.layFiles(b); err != nil {
			return err
		}
	}
	exchanges, err := b.exchanges()
	if err != nil {
		return err
	}
	for i, x := range exchanges {
		for p := range x.pieces {
			x.pieces[p].text = s.expand(x.pieces[p].text)
		}
		raw, err := talk("127.0.0.1:"+s.port, x, b.readTimeout(), b.has("shutdown"))
		if b.has("abort") || b.has("ignore_response") {
			continue
		}
		if err != nil {
			return fmt.Errorf("request: %w (after %d bytes %.200q)", err, len(raw), raw)
		}
		all, err := parseResponses(raw, x)
		if err != nil {
			return err
		}
		for k, resp := range all {
			if err := s.expandWants(b).checkResponse(i+k, resp); err != nil {
				return err
			}
		}
	}
	if b.has("wait") {
		time.Sleep(seconds(b.text("wait")))
	}
	time.Sleep(logDelay)
	if b.accumulates() {
		s.logPos = 0
	}
	return s.expandWants(b).checkLog(s.newLog(), repeat)
}

// expandWants returns b with the server's root and port in what it expects.
func (s *server) expandWants(b *block) *block {
	out := *b
	out.Sections = make(map[string]value, len(b.Sections))
	for name, v := range b.Sections {
		items := slices.Clone(v.items)
		for i := range items {
			items[i].text = s.expand(items[i].text)
		}
		out.Sections[name] = value{items: items, list: v.list}
	}
	return &out
}

// workDir makes the folder for server roots and locks it: its path and the ports are
// fixed, so there can be one run at a time on a machine. The path is short because
// some blocks put unix sockets below it.
func workDir() (dir string, unlock func(), err error) {
	dir = filepath.Join(os.TempDir(), "mpc")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		fmt.Println("waiting for another run of conform to end")
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			return "", nil, err
		}
	}
	endLeftovers(dir)
	return dir, func() { lock.Close() }, nil
}

// endLeftovers ends the servers of a run that was killed: they are daemons and hold
// their ports. A pid that has gone to another program since is left alone.
func endLeftovers(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "t", "servroot", "logs", "nginx.pid"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			continue
		}
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if root := filepath.Dir(filepath.Dir(path)); err == nil && strings.Contains(string(command), root) {
			(&server{pid: pid}).stop()
		}
	}
}
