package resolver

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// lines is an errlog.Logger that keeps what it is given.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Enabled(errlog.Level) bool { return true }
func (l *lines) Output(_ errlog.Level, _ int64, msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, msg)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

// nameServer answers as the first label of a name says.
func nameServer(t *testing.T) string {
	t.Helper()
	var pc net.PacketConn
	var l net.Listener
	for try := 1; ; try++ { // a port that is free for both
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
		if try == 20 {
			t.Fatal(err)
		}
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: dns.HandlerFunc(answerName)}, {Listener: l, Handler: dns.HandlerFunc(answerName)}} {
		go s.ActivateAndServe()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return pc.LocalAddr().String()
}

func answerName(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	name := q.Question[0].Name
	a := q.Question[0].Qtype == dns.TypeA
	add := func(text string) {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	address := func() {
		if a {
			add(name + " 60 IN A 127.0.0.1")
		} else {
			add(name + " 60 IN AAAA ::1")
		}
	}
	kind, code, _ := strings.Cut(strings.SplitN(name, ".", 2)[0], "-")
	switch kind {
	case "ok":
		address()
	case "rcode":
		m.Rcode = int(code[0] - '0')
	case "silent":
		return
	case "empty":
	case "text":
		add(name + " 60 IN TXT abc")
	case "cname":
		add(name + " 60 IN CNAME ok.test.")
	case "both":
		add(name + " 60 IN CNAME other.test.")
		add("other.test. 60 IN A 127.0.0.1")
	case "loop":
		add(name + " 60 IN CNAME " + name)
	case "gone":
		add(name + " 60 IN CNAME rcode-3.test.")
	case "long":
		if _, tcp := w.RemoteAddr().(*net.TCPAddr); tcp {
			address()
		} else {
			m.Truncated = true
		}
	case "id":
		m.Id ^= 1
		address()
	case "query":
		m.Response = false
	case "other":
		m.Question[0].Name = "zzz.test."
		address()
	case "four": // has no IPv6 address
		if a {
			address()
		}
	case "half": // servers refuse the question for one
		if address(); !a {
			m.Answer, m.Rcode = nil, dns.RcodeNameError
		}
	}
	_ = w.WriteMsg(m)
}

// find looks a name up, within a time.
func find(rc *Resolver, within time.Duration, log errlog.Logger, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	addrs, failure := rc.Lookup(ctx, log, Name(name))
	if failure != nil {
		return nil, failure
	}
	return addrs, nil
}

// TestResolver asks a name server that behaves in all the ways that servers do. What
// is expected is what nginx 1.22.1 answers.
func TestResolver(t *testing.T) {
	server := nameServer(t)
	const timedOut, none = "110: Operation timed out", "3: Host not found"
	tests := []struct {
		name, want, log string
		ipv6            bool
	}{
		{name: "ok.test"}, {name: "OK.Test."}, {name: "cname.test"}, {name: "both.test"}, {name: "long.test"},
		{name: "rcode-1.test", want: timedOut, log: `DNS error (1: Format error), query id:`},
		{name: "rcode-2.test", want: "2: Server failure"}, {name: "rcode-3.test", want: none},
		{name: "rcode-4.test", want: "4: Unimplemented"}, {name: "rcode-5.test", want: "5: Operation refused"},
		{name: "rcode-6.test", want: timedOut, log: "DNS error (6: Unknown error), query id:"},
		{name: "silent.test", want: timedOut}, {name: "empty.test", want: none},
		{name: "text.test", want: timedOut, log: "unexpected RR type 16 in DNS response\nno A or CNAME types in DNS response"},
		{name: "loop.test", want: none}, {name: "gone.test", want: none},
		{name: "id.test", want: timedOut, log: " in DNS response for id.test, expect "},
		{name: "query.test", want: timedOut, log: "invalid UDP DNS response "},
		{name: "other.test", want: timedOut, log: "unexpected DNS response for zzz.test"},
		{name: "a..b", want: none}, {name: ".test", want: none}, {name: "test..", want: none},
		{name: strings.Repeat("x", 256) + ".test", want: none}, {name: strings.Repeat("x", 64) + ".test", want: timedOut},
		{name: "rcode-3.te st", want: none}, {name: "rcode-3.te\x00st", want: none},
		{name: "ok.test", ipv6: true}, {name: "four.test", ipv6: true}, {name: "half.test", want: none, ipv6: true},
	}
	for _, tt := range tests {
		t.Run(tt.name[:min(len(tt.name), 20)], func(t *testing.T) {
			t.Parallel()
			rc := &Resolver{Servers: []string{server}, IPv4: true, IPv6: tt.ipv6}
			log := &lines{}
			_, err := find(rc, 300*time.Millisecond, log, tt.name)
			got := ""
			if err != nil {
				got = err.Error()
			}
			want := tt.want
			if want != "" {
				want = strings.ToLower(strings.TrimSuffix(tt.name, ".")) + " could not be resolved (" + want + ")"
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if !strings.Contains(log.text(), tt.log) {
				t.Errorf("no %q in the log: %q", tt.log, log.text())
			}
		})
	}
}

// TestResolverRefused has one server that is not there: the next is asked after it has
// had its time, and the log names it.
func TestResolverRefused(t *testing.T) {
	rc := &Resolver{Servers: []string{"127.0.0.1:1"}, IPv4: true}
	log := &lines{}
	_, err := find(rc, 50*time.Millisecond, log, "ok.test")
	if err == nil || err.Error() != "ok.test could not be resolved (110: Operation timed out)" {
		t.Errorf("got %v", err)
	}
	if want := "recv() failed (111: Connection refused) while resolving, resolver: 127.0.0.1:1"; log.text() != want {
		t.Errorf("logged %q, want %q", log.text(), want)
	}
}

// TestResolverCache asks once for what is asked for twice.
func TestResolverCache(t *testing.T) {
	rc := &Resolver{Servers: []string{nameServer(t)}, IPv4: true}
	for range 2 {
		if ips, err := find(rc, time.Second, nil, "cname.test"); len(ips) != 1 || ips[0] != "127.0.0.1" {
			t.Fatalf("got %q, %v", ips, err)
		}
	}
	if rc.cache.next != 2 { // the name and the one it stands for
		t.Errorf("%d queries", rc.cache.next)
	}
}
