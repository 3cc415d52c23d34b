package upstream

import (
	"container/list"
	"crypto/md5"
	"fmt"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/slab"
)

// sessions are those that the peers of an upstream have created, as many as the memory of
// their zone holds in nginx.
type sessions struct {
	upstream string // whose they are
	zone     string
	timeout  time.Duration
	*sessionTable
}

// sessionTable is what a reload keeps.
type sessionTable struct {
	mu     sync.Mutex
	byKey  map[sessionKey]*list.Element
	order  list.List // of session, the one that was used last is first
	memory *slab.Memory
}

// sessionKey is the hash of what names a session: names may be of any length.
type sessionKey [md5.Size]byte

type session struct {
	key  sessionKey
	sid  string // of its peer
	last time.Time
}

// What nginx puts into the zone's memory, in bytes: two trees, a text for log lines, and
// a node for each session.
const (
	sessionRoots = 128
	sessionText  = len(` in sticky session zone ""`) + 1
	sessionNode  = 144
)

// makeSessions makes the zone of sticky learn.
func (s *sticky) makeSessions(c *core.Compiler, u *Upstream, name string, size int64, timeout time.Duration) error {
	z, err := c.Zone("upstream_sticky", name, size)
	if err != nil {
		return err
	}
	if of, ok := z.Data.(*sessions); ok {
		return fmt.Errorf("sticky zone \"%s\" is already used in upstream \"%s\"", name, of.upstream)
	}
	s.sessions = &sessions{upstream: u.Name, zone: name, timeout: timeout}
	z.Data, z.Init = s.sessions, initSessions
	return nil
}

// initSessions gives a zone its sessions, which a reload keeps for the same upstream.
func initSessions(z *core.Zone, old any) error {
	own := z.Data.(*sessions)
	if was, ok := old.(*sessions); ok {
		if was.upstream != own.upstream {
			return fmt.Errorf("sticky zone \"%s\" is used in upstream \"%s\" while previously it was used in upstream \"%s\"",
				z.Name, own.upstream, was.upstream)
		}
		own.sessionTable = was.sessionTable
		return nil
	}
	own.sessionTable = &sessionTable{byKey: map[sessionKey]*list.Element{}, memory: slab.New(z.Size)}
	own.memory.Alloc(sessionRoots)
	own.memory.Alloc(sessionText + len(z.Name))
	return nil
}

// find is the sid of the peer that has a session, "" when it is not known.
func (s *sessions) find(name string, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if e := s.byKey[md5.Sum([]byte(name))]; e != nil {
		return e.Value.(*session).sid
	}
	return ""
}

// note says that a peer has a session. One that is not known is taken in when it is new;
// the text is what there is to log about that.
func (s *sessions) note(name, sid string, isNew bool, now time.Time) (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	key := sessionKey(md5.Sum([]byte(name)))
	if e := s.byKey[key]; e != nil {
		known := e.Value.(*session)
		known.sid, known.last = sid, now
		s.order.MoveToFront(e)
		return ""
	}
	if !isNew {
		return ""
	}
	if !s.memory.Alloc(sessionNode) {
		text = fmt.Sprintf("could not allocate node in sticky session zone \"%s\", expiring least recently used session", s.zone)
		if oldest := s.order.Back(); oldest != nil {
			s.remove(oldest)
		}
		if !s.memory.Alloc(sessionNode) {
			return fmt.Sprintf("could not allocate node in sticky session zone \"%s\"", s.zone)
		}
	}
	s.byKey[key] = s.order.PushFront(&session{key, sid, now})
	return text
}

// expire forgets the sessions that nobody has used for too long.
func (s *sessions) expire(now time.Time) {
	for e := s.order.Back(); e != nil && now.Sub(e.Value.(*session).last) >= s.timeout; e = s.order.Back() {
		s.remove(e)
	}
}

func (s *sessions) remove(e *list.Element) {
	s.order.Remove(e)
	delete(s.byKey, e.Value.(*session).key)
	s.memory.Free(sessionNode)
}
