package upstream_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// zoneFile is a name server that answers with the records it has now.
type zoneFile struct {
	mu      sync.Mutex
	records map[string][]string // by name and type: "a.test. A"
}

func (z *zoneFile) set(question string, records ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.records == nil {
		z.records = map[string][]string{}
	}
	z.records[question] = records
}

func (z *zoneFile) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	z.mu.Lock()
	records, known := z.records[q.Question[0].Name+" "+dns.TypeToString[q.Question[0].Qtype]]
	z.mu.Unlock()
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	_ = w.WriteMsg(m)
}

func (z *zoneFile) serve(t *testing.T) string {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: pc, Handler: z}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

// peers is what n requests in a row come to: nobody listens there, and the server tells
// the address.
func peers(t *testing.T, s *testserver.Server, path string, n int) string {
	t.Helper()
	var list []string
	for range n {
		r, err := http.Get("http://" + s.Addr + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		list = append(list, string(text))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// wantPeers waits until n requests come to what is wanted.
func wantPeers(t *testing.T, s *testserver.Server, path string, want ...string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = peers(t, s, path, len(want)); got == strings.Join(want, " ") {
			return
		}
	}
	t.Errorf("%s asks %s, want %s", path, got, strings.Join(want, " "))
}

const resolveConf = `events {} http { access_log off; resolver DNS valid=1s ipv6=off; resolver_timeout 2s; proxy_next_upstream off;
	upstream a { zone z 64k; server a.test:7 resolve max_fails=0; }
	upstream mixed { zone z 64k; server 127.0.0.9:7 max_fails=0; server a.test:7 resolve max_fails=0 weight=2; server b.test:7 resolve backup max_fails=0; }
	upstream ring { zone z 64k; hash $arg_k consistent; server a.test:7 resolve max_fails=0; server b.test:7 resolve max_fails=0; }
	upstream s { zone z 64k; server s.test service=http resolve max_fails=0; }
	upstream own { zone z 64k; resolver OTHER valid=1s; server own.test resolve max_fails=0; }
	server { listen ADDR; error_page 502 =200 /peer; location /peer { return 200 $upstream_addr; }
		location /a { proxy_pass http://a; } location /mixed { proxy_pass http://mixed; } location /s { proxy_pass http://s; }
		location /ring { proxy_pass http://ring; } location /own { proxy_pass http://own; }
	} }`

func startResolve(t *testing.T, z, other *zoneFile) *testserver.Server {
	z.set("b.test. A", "b.test. 1 A 127.0.0.5")
	z.set("s.test. A")
	return testserver.Start(t, strings.NewReplacer("DNS", z.serve(t), "OTHER", other.serve(t)).Replace(resolveConf))
}

// TestResolve: the peers of an upstream are what name servers say now.
func TestResolve(t *testing.T) {
	z, other := &zoneFile{}, &zoneFile{}
	z.set("a.test. A", "a.test. 1 A 127.0.0.1", "a.test. 1 A 127.0.0.2")
	other.set("own.test. A", "own.test. 1 A 127.0.0.8")
	other.set("own.test. AAAA")
	s := startResolve(t, z, other)
	wantPeers(t, s, "/a", "127.0.0.1:7", "127.0.0.2:7")
	wantPeers(t, s, "/mixed", "127.0.0.1:7", "127.0.0.1:7", "127.0.0.2:7", "127.0.0.2:7", "127.0.0.9:7")
	wantPeers(t, s, "/own", "127.0.0.8:80")
	wantPeers(t, s, "/ring?k=1", "127.0.0.5:7")
	z.set("a.test. A", "a.test. 1 A 127.0.0.3")
	wantPeers(t, s, "/a", "127.0.0.3:7")
	wantPeers(t, s, "/mixed", "127.0.0.3:7", "127.0.0.3:7", "127.0.0.9:7")
	z.set("a.test. A")
	wantPeers(t, s, "/a", "a")
	wantPeers(t, s, "/mixed", "127.0.0.9:7", "127.0.0.9:7")
	s.WantLog("[error]")
	s.WantLog("a.test could not be resolved (3: Host not found)")
	s.WantLog("no live upstreams while connecting to upstream")
}

// TestResolveService: servers of a service have its ports and weights, those of the best
// priority come first.
func TestResolveService(t *testing.T) {
	z, other := &zoneFile{}, &zoneFile{}
	z.set("_http._tcp.s.test. SRV", "_http._tcp.s.test. 1 SRV 1 2 7001 x.test.", "_http._tcp.s.test. 1 SRV 1 1 7002 y.test.",
		"_http._tcp.s.test. 1 SRV 5 1 7003 x.test.", "_http._tcp.s.test. 1 SRV 1 1 7004 none.test.")
	z.set("x.test. A", "x.test. 1 A 127.0.0.1")
	z.set("y.test. A", "y.test. 1 A 127.0.0.2")
	s := startResolve(t, z, other)
	wantPeers(t, s, "/s", "127.0.0.1:7001", "127.0.0.1:7001", "127.0.0.2:7002")
	s.WantLog("none.test could not be resolved (3: Host not found) while resolving service http of s.test")
	z.set("_http._tcp.s.test. SRV", "_http._tcp.s.test. 1 SRV 5 0 7003 x.test.")
	wantPeers(t, s, "/s", "127.0.0.1:7003")
	z.set("_http._tcp.s.test. SRV")
	wantPeers(t, s, "/s", "s")
	s.WantLog("service http of s.test could not be resolved (3: Host not found)")
}
