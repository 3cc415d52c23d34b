package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/guard"
)

// dnsAnswer is what servers said about a name: addresses or the servers of a service, or
// else the name that it stands for.
type dnsAnswer struct {
	addrs    []string
	services []*dns.SRV
	cname    string
	ttl      time.Duration
}

// found tells whether the answer has what was asked for.
func (a *dnsAnswer) found() bool { return len(a.addrs)+len(a.services) > 0 }

// dnsQuery asks name servers for a name: one question for each kind of address, until
// all are answered.
type dnsQuery struct {
	name  string
	kinds []dnsQuestion
	log   errlog.Logger

	answer dnsAnswer
	code   int // why there is no address, 0 if there is
}

// dnsQuestion is a question and, once there is one, its answer.
type dnsQuestion struct {
	kind     uint16 // dns.TypeA or dns.TypeAAAA
	id       uint16
	packet   []byte // nil when a label is too long: nobody would answer
	name     string // as it reads in a packet
	tcp      bool   // the answer did not fit into a datagram
	answered bool
}

// ask asks one server after the other until there are answers. The code is not 0
// when the name has no address, or does not stand for a service where that is asked for.
func (rc *Resolver) ask(ctx context.Context, log errlog.Logger, name string, service bool, first int) (dnsAnswer, int) {
	q := &dnsQuery{name: name, log: log}
	switch {
	case service:
		q.kinds = append(q.kinds, newQuestion(name, dns.TypeSRV))
	case rc.IPv4:
		q.kinds = append(q.kinds, newQuestion(name, dns.TypeA))
	}
	if rc.IPv6 && !service {
		q.kinds = append(q.kinds, newQuestion(name, dns.TypeAAAA))
	}
	for i := first; ctx.Err() == nil; i++ {
		server := rc.Servers[i%len(rc.Servers)]
		attempt, cancel := context.WithTimeout(ctx, resendInterval)
		if err := q.exchange(attempt, server); err != nil && attempt.Err() == nil {
			q.logf("%s while resolving, resolver: %s", err, server)
			<-attempt.Done() // a server that refuses gets the time of a silent one
		}
		cancel()
		if q.complete() {
			return q.answer, q.code
		}
	}
	return dnsAnswer{}, resolveTimedOut
}

func newQuestion(name string, kind uint16) dnsQuestion {
	m := dns.Msg{MsgHdr: dns.MsgHdr{Id: uint16(rand.Uint32()), RecursionDesired: true}}
	m.Question = []dns.Question{{Name: presentation(name), Qtype: kind, Qclass: dns.ClassINET}}
	k := dnsQuestion{kind: kind, id: m.Id}
	packet, err := m.Pack()
	if err == nil && m.Unpack(packet) == nil {
		k.packet, k.name = packet, m.Question[0].Name
	}
	return k
}

// presentation is a name as package dns takes it: bytes with a meaning are escaped.
func presentation(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"();@$\`, c) >= 0 {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String() + "."
}

func (q *dnsQuery) logf(format string, args ...any) {
	if q.log != nil && q.log.Enabled(errlog.Err) {
		q.log.Output(errlog.Err, 0, fmt.Sprintf(format, args...))
	}
}

func (q *dnsQuery) complete() bool {
	for i := range q.kinds {
		if !q.kinds[i].answered {
			return false
		}
	}
	return true
}

// settle takes the answer to a question. What the last one says decides about the
// name, and a server's refusal of an earlier one (ngx_resolver_process_a).
func (q *dnsQuery) settle(k *dnsQuestion, code int, a dnsAnswer) {
	k.answered = true
	if a.found() {
		if !q.answer.found() || a.ttl < q.answer.ttl {
			q.answer.ttl = a.ttl
		}
		q.answer.addrs = append(q.answer.addrs, a.addrs...)
		q.answer.services = append(q.answer.services, a.services...)
	}
	empty := code == 0 && !a.found() && a.cname == ""
	switch {
	case code != 0:
		q.code = code
	case !q.complete():
	case empty && !q.answer.found():
		q.code = dns.RcodeNameError
	case !q.answer.found():
		q.answer = a
	}
}

// exchange asks a server what is not yet answered and takes its answers, until all are
// there or ctx ends.
func (q *dnsQuery) exchange(ctx context.Context, server string) error {
	conn, err := net.Dial("udp", server)
	if err != nil {
		return fmt.Errorf("connect() failed (%s)", conf.Errno(err))
	}
	defer conn.Close()
	defer hurry(ctx, conn)()
	for i := range q.kinds {
		if k := &q.kinds[i]; !k.answered && k.packet != nil {
			if _, err := conn.Write(k.packet); err != nil {
				return fmt.Errorf("send() failed (%s)", conf.Errno(err))
			}
		}
	}
	buf := make([]byte, 4096)
	for !q.complete() {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("recv() failed (%s)", conf.Errno(err))
		}
		if k := q.take(buf[:n], "UDP"); k != nil && k.tcp && !k.answered {
			if err := q.exchangeTCP(ctx, server, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// hurry makes operations of conn end when ctx does. The function it returns stops that.
func hurry(ctx context.Context, conn net.Conn) func() {
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	stop := context.AfterFunc(ctx, func() {
		defer guard.Stop()
		_ = conn.SetDeadline(time.Unix(1, 0))
	})
	return func() { stop() }
}

// exchangeTCP asks for an answer that does not fit into a datagram.
func (q *dnsQuery) exchangeTCP(ctx context.Context, server string, k *dnsQuestion) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return fmt.Errorf("connect() failed (%s)", conf.Errno(err))
	}
	defer conn.Close()
	defer hurry(ctx, conn)()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(k.packet))), k.packet...)); err != nil {
		return fmt.Errorf("send() failed (%s)", conf.Errno(err))
	}
	for !k.answered {
		var size [2]byte
		_, err := io.ReadFull(conn, size[:])
		packet := make([]byte, binary.BigEndian.Uint16(size[:]))
		if err == nil {
			_, err = io.ReadFull(conn, packet)
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, new(syscall.Errno)) {
				return fmt.Errorf("recv() failed (%s)", conf.Errno(err))
			}
			<-ctx.Done() // the server has closed: silence
			return nil
		}
		q.take(packet, "TCP")
	}
	return nil
}

// take reads a packet (ngx_resolver_process_response). What answers none of the
// questions is logged, and the wait for an answer goes on. It returns the question
// that the packet belongs to.
func (q *dnsQuery) take(packet []byte, transport string) *dnsQuestion {
	if len(packet) < 12 {
		q.logf("short DNS response")
		return nil
	}
	id, flags := binary.BigEndian.Uint16(packet), binary.BigEndian.Uint16(packet[2:])
	code := int(flags & 0xf)
	switch {
	case flags&0x8000 == 0:
		q.logf("invalid %s DNS response %d fl:%04X", transport, id, flags)
		return nil
	case code == dns.RcodeFormatError && q.byID(id) != nil:
		q.logf("DNS error (%d: %s), query id:%d, name:\"%s\"", code, resolveText(code), id, q.name)
		return nil
	case code == dns.RcodeFormatError, code > dns.RcodeRefused:
		q.logf("DNS error (%d: %s), query id:%d", code, resolveText(code), id)
		return nil
	case binary.BigEndian.Uint16(packet[4:]) != 1:
		q.logf("invalid number of questions in DNS response")
		return nil
	}
	var m dns.Msg
	err := m.Unpack(packet)
	if len(m.Question) != 1 {
		q.logf("unexpected end of DNS response")
		return nil
	}
	k := q.byQuestion(m.Question[0])
	if k == nil {
		q.logf("unexpected DNS response for %s", strings.TrimSuffix(m.Question[0].Name, "."))
		return nil
	}
	switch {
	case id != k.id:
		q.logf("wrong ident %d in DNS response for %s, expect %d", id, q.name, k.id)
	case m.Truncated && transport == "UDP":
		k.tcp = true
	case code == 0 && len(m.Answer) == 0 && err == nil:
		q.settle(k, 0, dnsAnswer{})
	case code != 0:
		q.settle(k, code, dnsAnswer{})
	case err != nil:
		q.logf("invalid record in DNS response for %s", q.name)
	default:
		q.read(k, m.Answer)
	}
	return k
}

func (q *dnsQuery) byID(id uint16) *dnsQuestion {
	for i := range q.kinds {
		if q.kinds[i].id == id {
			return &q.kinds[i]
		}
	}
	return nil
}

// byQuestion finds the open question that a response repeats.
func (q *dnsQuery) byQuestion(asked dns.Question) *dnsQuestion {
	for i := range q.kinds {
		if k := &q.kinds[i]; k.kind == asked.Qtype && !k.answered && strings.EqualFold(asked.Name, k.name) {
			return k
		}
	}
	return nil
}

// read takes the records of an answer.
func (q *dnsQuery) read(k *dnsQuestion, records []dns.RR) {
	a := dnsAnswer{ttl: -1}
	for _, rr := range records {
		h := rr.Header()
		if h.Class != dns.ClassINET {
			q.logf("unexpected RR class %d in DNS response", h.Class)
			return
		}
		if ttl := time.Duration(h.Ttl) * time.Second; a.ttl < 0 || ttl < a.ttl {
			a.ttl = ttl
		}
		switch rr := rr.(type) {
		case *dns.A:
			if k.kind == dns.TypeA {
				a.addrs = append(a.addrs, rr.A.String())
			}
		case *dns.AAAA:
			if k.kind == dns.TypeAAAA {
				a.addrs = append(a.addrs, rr.AAAA.String())
			}
		case *dns.SRV:
			if k.kind == dns.TypeSRV {
				a.services = append(a.services, rr)
			}
		case *dns.CNAME:
			a.cname = rr.Target
		case *dns.DNAME:
		default:
			q.logf("unexpected RR type %d in DNS response", h.Rrtype)
		}
	}
	switch {
	case a.found():
		a.cname = ""
	case a.cname == "" && k.kind == dns.TypeSRV:
		q.logf("no SRV or CNAME types in DNS response")
		return
	case a.cname == "":
		q.logf("no A or CNAME types in DNS response")
		return
	}
	q.settle(k, 0, a)
}
