package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// cacheUpstream answers /NUMBER with a body that says which request it answers, in two parts.
// Any two bodies differ in length and everywhere.
type cacheUpstream struct {
	*httptest.Server
	asked atomic.Int64
	hold  chan struct{} // closed to let /hold go on
}

func newCacheUpstream(t *testing.T) *cacheUpstream {
	u := &cacheUpstream{hold: make(chan struct{})}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(u.asked.Add(1))
		name := strings.TrimPrefix(r.URL.Path, "/")
		w.Header().Set("Cache-Control", "max-age=3600")
		text := cachedText(name, n)
		if name == "hold" {
			<-u.hold
		}
		if name == "large" {
			text = strings.Repeat("0123456789abcdef", 8<<20/16)
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		}
		_, _ = io.WriteString(w, text[:len(text)/2])
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, text[len(text)/2:])
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *cacheUpstream) addr() string { return u.Listener.Addr().String() }

func cachedText(name string, n int) string {
	return strings.Repeat(fmt.Sprintf("%s/%d;", name, n), 1+n%200)
}

// whole tells whether a text is one that cachedText made for the name.
func whole(name, text string) bool {
	first, _, ok := strings.Cut(text, ";")
	n, err := strconv.Atoi(strings.TrimPrefix(first, name+"/"))
	return ok && err == nil && text == cachedText(name, n)
}

const cacheTestConf = `events {} error_log logs/error.log info; http { access_log off;
	proxy_cache_path DIR/cache keys_zone=z:4m levels=1:2;
	server { listen ADDR;
		keepalive_requests 1000000;
		proxy_cache z;
		proxy_cache_key $uri;
		proxy_cache_bypass $arg_new;
		add_header X-Cache $upstream_cache_status;
		location / { proxy_pass http://UP; proxy_http_version 1.1; proxy_set_header Connection ""; }
		location /lock/ { proxy_cache_lock on; proxy_cache_lock_age 10m; proxy_cache_lock_timeout 10m; proxy_pass http://UP/; }
	} }`

// TestCacheServer is the server of its own process that other tests kill or limit.
func TestCacheServer(t *testing.T) {
	dir := os.Getenv("MOONPHASE_CACHE_TEST")
	if dir == "" {
		return
	}
	size := os.Getenv("MOONPHASE_CACHE_FSIZE") // the server takes the environment for its own
	testserver.Run(t, nil, "-p", dir, "-e", "logs/error.log")
	if limit, err := strconv.ParseUint(size, 10, 64); err == nil {
		var both syscall.Rlimit
		setLimit(&both.Cur, limit)
		setLimit(&both.Max, limit)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &both); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
}

// setLimit sets a limit, whose type systems do not agree on.
func setLimit[T int64 | uint64](to *T, n uint64) { *to = T(n) }

// cacheProcess runs TestCacheServer until the test ends or kill is called.
type cacheProcess struct {
	t    *testing.T
	dir  string
	addr string
	cmd  *exec.Cmd
	env  []string
}

func newCacheProcess(t *testing.T, up string, env ...string) *cacheProcess {
	p := &cacheProcess{t: t, dir: t.TempDir(), addr: testserver.FreeAddr(t), env: env}
	for _, name := range []string{"logs", "conf"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.NewReplacer("ADDR", p.addr, "DIR", p.dir, "UP", up).Replace(cacheTestConf)
	if err := os.WriteFile(filepath.Join(p.dir, "conf/nginx.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *cacheProcess) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], "-test.run=^TestCacheServer$")
	p.cmd.Env = append(append(os.Environ(), "MOONPHASE_CACHE_TEST="+p.dir), p.env...)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.cmd
	p.t.Cleanup(func() { stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 1000 {
		if c, err := net.Dial("tcp", p.addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatal("the server does not listen")
}

func (p *cacheProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// get asks for a name and checks what comes.
func (p *cacheProcess) get(client *http.Client, name, args string) (status string, err error) {
	r, err := client.Get("http://" + p.addr + "/" + name + args)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	if r.StatusCode != 200 || !whole(name, string(b)) {
		p.t.Errorf("%s%s: %s %s %.80q", name, args, r.Status, r.Header.Get("X-Cache"), b)
	}
	return r.Header.Get("X-Cache"), nil
}

// all asks for the names 0 to n by several clients at once until one of them fails, and
// counts what the cache said.
func (p *cacheProcess) all(n int, args string) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var next atomic.Int64
	said := map[string]int{}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				status, err := p.get(client, strconv.FormatInt(i, 10), args)
				mu.Lock()
				if err != nil {
					status = "error"
				}
				said[status]++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return said
}

// TestCacheKilled: with 10,000 responses in the cache the server is killed while it writes
// them anew. What it serves after a start is whole, and all of it comes from the cache.
func TestCacheKilled(t *testing.T) {
	up := newCacheUpstream(t)
	p := newCacheProcess(t, up.addr())
	p.start()
	const n = 10000
	if said := p.all(n, ""); said["MISS"] != n {
		t.Fatalf("the first round: %v", said)
	}
	for range 3 {
		before := up.asked.Load()
		done := make(chan map[string]int)
		go func() { done <- p.all(n, "?new=1") }()
		for up.asked.Load() < before+300 {
			time.Sleep(time.Millisecond)
		}
		p.kill()
		if said := <-done; said["error"] == 0 {
			t.Errorf("nothing was under way when the server was killed: %v", said)
		}
		p.start()
	}
	if said := p.all(n, ""); said["HIT"] != n {
		t.Errorf("after the last start: %v", said)
	}
}

// TestCacheDiskFull: what cannot be written is served and not kept.
func TestCacheDiskFull(t *testing.T) {
	up := newCacheUpstream(t)
	p := newCacheProcess(t, up.addr(), "MOONPHASE_CACHE_FSIZE=1000000")
	p.start()
	for range 2 {
		r, err := http.Get("http://" + p.addr + "/large")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || len(b) != 8<<20 || r.Header.Get("X-Cache") != "MISS" {
			t.Errorf("%d bytes, %s, %v", len(b), r.Header.Get("X-Cache"), err)
		}
	}
	for _, want := range []string{"MISS", "HIT"} {
		if got, err := p.get(http.DefaultClient, "1", ""); got != want || err != nil {
			t.Errorf("a small one: %s, %v", got, err)
		}
	}
	log, err := os.ReadFile(filepath.Join(p.dir, "logs/error.log"))
	if err != nil || strings.Count(string(log), "failed (27: File too large), the response is not cached") != 2 {
		t.Errorf("%v, the log says %s", err, log)
	}
	left, _ := filepath.Glob(p.dir + "/cache/*/*/*")
	if len(left) != 1 {
		t.Errorf("files %q", left)
	}
}

func startCache(t *testing.T, up *cacheUpstream) *testserver.Server {
	return testserver.Start(t, strings.ReplaceAll(cacheTestConf, "UP", up.addr()))
}

// wantCache asks for a name and wants what the cache says.
func wantCache(t *testing.T, s *testserver.Server, uri, want string) {
	t.Helper()
	if got := s.Get(uri); !strings.Contains(got, "X-Cache: "+want+"\r\n") {
		t.Errorf("%s is no %s: %.400s", uri, want, got)
	}
}

// TestCacheClientGone: the response is kept though nobody waits for it.
func TestCacheClientGone(t *testing.T) {
	up := newCacheUpstream(t)
	s := startCache(t, up)
	c := s.Dial()
	fmt.Fprint(c, "GET /lock/hold HTTP/1.1\r\nHost: h\r\n\r\n")
	for up.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	time.AfterFunc(30*time.Millisecond, func() { close(up.hold) }) // so that the server can see it
	wantCache(t, s, "/lock/hold", "HIT")
	if n := up.asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// TestCacheSlowClient: a client that does not read keeps neither the upstream nor others
// waiting, and gets all in the end.
func TestCacheSlowClient(t *testing.T) {
	up := newCacheUpstream(t)
	s := startCache(t, up)
	c := s.Dial()
	fmt.Fprint(c, "GET /lock/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	rd := bufio.NewReader(c)
	if line, err := rd.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	wantCache(t, s, "/lock/large", "HIT")
	r, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n"), rd)), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if want := strings.Repeat("0123456789abcdef", 8<<20/16); err != nil || string(b) != want {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestCacheLock: of many requests for one response one asks for it.
func TestCacheLock(t *testing.T) {
	up := newCacheUpstream(t)
	s := startCache(t, up)
	var wg sync.WaitGroup
	var hits, misses atomic.Int64
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			switch got := s.Get("/lock/hold"); {
			case strings.Contains(got, "X-Cache: HIT"):
				hits.Add(1)
			case strings.Contains(got, "X-Cache: MISS"):
				misses.Add(1)
			}
		}()
	}
	for up.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(up.hold)
	wg.Wait()
	if up.asked.Load() != 1 || misses.Load() != 1 || hits.Load() != 19 {
		t.Errorf("asked %d times, %d misses, %d hits", up.asked.Load(), misses.Load(), hits.Load())
	}
}

// TestCacheReload: a reload keeps what is cached, and refuses another path for it.
func TestCacheReload(t *testing.T) {
	up := newCacheUpstream(t)
	s := startCache(t, up)
	wantCache(t, s, "/1", "MISS")
	conf := s.Read("conf/nginx.conf")
	// The file is there, and the memory of it: a name without a file would be asked for anew.
	s.Write("conf/nginx.conf", strings.Replace(conf, "X-Cache", "X-New 1; add_header X-Cache", 1))
	s.Signal(syscall.SIGHUP)
	for !strings.Contains(s.Get("/1"), "X-New: 1") {
		time.Sleep(time.Millisecond)
	}
	wantCache(t, s, "/1", "HIT")
	s.Write("conf/nginx.conf", strings.Replace(conf, "/cache keys", "/other keys", 1))
	s.Signal(syscall.SIGHUP)
	s.WantLog(s.Expand("cache \"z\" uses the \"DIR/other\" cache path while previously it used the \"DIR/cache\" cache path"))
	s.Write("conf/nginx.conf", strings.Replace(conf, "levels=1:2", "levels=2", 1))
	s.Signal(syscall.SIGHUP)
	s.WantLog("cache \"z\" had previously different levels")
	wantCache(t, s, "/1", "HIT")
	if n := up.asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}
