// Package ngx compares served answers with those of real nginx and ngx_lua.
//
// Each case is a txtar file: modules/<module>/<topic>.txtar about one module of nginx,
// <phase or API>/<topic>.txtar about what scripts see. All cases become server
// blocks, with a port each, of one nginx.conf: it is built once, served by one
// process, and with -oracle served by nginx itself, which alone writes what is
// wanted. A case has the sections server and request, or conf, or all three:
//
//	conf           texts for http{}, one a line, that -t shall judge, each by itself
//	want.conf      what it said: "ok", or the complaints
//	http           directives for the http block
//	server         directives for the case's server block
//	lua/NAME       a file below the server's prefix; names are unique over all cases
//	html/NAME      likewise
//	upstream       what the server behind the case's proxy_pass answers (see upstream)
//	request        requests as text, sent on one connection each; a line === parts them;
//	               lines that begin with # say how (see client)
//	log            a regular expression: which lines of the log want.log holds, "lua"
//	               without it
//	want.response  the answers, volatile headers masked; a line === parts them
//	want.log       the error log's lines of the case that speak of Lua; all lines but
//	               notices, in full, of a case that has an upstream
//
// In the first three @PORT@, @UPSTREAM@ and @PREFIX@ stand for the ports and for
// the server's root, whose folder tls holds certificates (see writeCerts).
//
// What is wanted is what nginx 1.22.1 says, and the cases are served under
// MOONPHASE_COMPAT=1.22.1. A case that has one of the sections below is served a
// second time as the newest OpenResty, which is the default. -oracle leaves these
// sections alone: nobody records them, so each says only what is known from elsewhere.
//
//	newest.response  the answers of the newest. One that is the line #same is that
//	                 of want.response (or strict.response), with the newer name in its
//	                 Server header and page
//	newest.log       its lines of the log; as in want.log without this section
//	newest.conf      texts and what -t says of them, in the form of want.conf; they need
//	                 not stand in conf
//	newest.http, newest.server, newest.upstream, newest.request
//	                 in place of those above. A case that has nothing but these is not
//	                 for 1.22.1
//	strict.response, strict.log
//	                 likewise, for both: where we refuse what 1.22.1 takes, because taking
//	                 it is a danger. The first lines of the case say why
package ngx

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

var oracle = flag.Bool("oracle", false, "rewrite want.response and want.log with what nginx says")

// oracleRelease is the nginx that answers were recorded from, unless a case says otherwise.
const oracleRelease = "1.22.1"

// oracleMain is what nginx needs to know before a configuration.
const oracleMain = "user root;" +
	" load_module /usr/lib/nginx/modules/ndk_http_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_brotli_static_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_memc_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_set_misc_module.so;" +
	" load_module /usr/lib/nginx/modules/ngx_http_srcache_filter_module.so;"

// oldProduct and newProduct are what the Server headers say.
const (
	oldProduct = "nginx/1.22.1"
	newProduct = "openresty/1.31.1.1"
)

// A testCase is one file, as one release serves it.
type testCase struct {
	name    string
	path    string
	archive *txtar.Archive
	newest  bool         // what is asked is the newest OpenResty
	holder  net.Listener // keeps port until the server takes it
	port    int
	prefix  string    // of the server that serves it
	behind  *upstream // nil without a section of that name
}

// find returns a section, and whether it is there.
func (c *testCase) find(name string) (string, bool) {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// section is a section that goes to the server, in the words of the release.
func (c *testCase) section(name string) string {
	data, ok := "", false
	if c.newest && newestInputs[name] {
		data, ok = c.find("newest." + name)
	}
	if !ok {
		data, _ = c.find(name)
	}
	return data
}

var newestInputs = map[string]bool{"http": true, "server": true, "upstream": true, "request": true}

// wanted is what the release answers or logs.
func (c *testCase) wanted(name string) string {
	recorded, _ := c.find("want." + name)
	strict, isStrict := c.find("strict." + name)
	newest, isNewest := c.find("newest." + name)
	want := recorded
	if isStrict {
		want = overlay(want, strict)
	}
	if c.newest {
		want = inNewWords(want)
		if isNewest {
			want = overlay(want, newest)
		}
	}
	return want
}

// overlay is the answers of text, of which #same is that of base.
func overlay(base, text string) string {
	answers, below := strings.Split(text, parting), strings.Split(base, parting)
	for i, answer := range answers {
		if answer == "#same\n" && i < len(below) {
			answers[i] = below[i]
		}
	}
	return strings.Join(answers, parting)
}

var contentLength = regexp.MustCompile(`(?mi)^(content-length: )(\d+)$`)

// inNewWords gives answers the newer name in Server headers and in pages, which are
// longer for it.
func inNewWords(text string) string {
	answers := strings.Split(text, parting)
	for i, answer := range answers {
		head, body, _ := strings.Cut(answer, "\n\n")
		if n := strings.Count(body, oldProduct); n > 0 {
			head = contentLength.ReplaceAllStringFunc(head, func(line string) string {
				m := contentLength.FindStringSubmatch(line)
				length, _ := strconv.Atoi(m[2])
				return m[1] + strconv.Itoa(length+n*(len(newProduct)-len(oldProduct)))
			})
			answer = head + "\n\n" + body
		}
		answers[i] = strings.ReplaceAll(answer, oldProduct, newProduct)
	}
	return strings.Join(answers, parting)
}

// set replaces a section, or adds it behind the others; an empty one is left out.
func (c *testCase) set(name, data string) {
	for i, f := range c.archive.Files {
		if f.Name == name {
			c.archive.Files[i].Data = []byte(data)
			return
		}
	}
	if data != "" {
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: []byte(data)})
	}
}

func TestServer(t *testing.T) {
	testTogether(t, served(loadCases(t, false), false))
}

// TestAlone serves each case of the folder alone by itself: those whose directives
// for the http block would change the others.
func TestAlone(t *testing.T) {
	for _, c := range served(loadCases(t, false), true) {
		testTogether(t, []*testCase{c})
	}
}

// TestNewest serves the cases that know what the newest OpenResty says.
func TestNewest(t *testing.T) {
	if *oracle { // there is nobody to ask
		return
	}
	cases := loadCases(t, true)
	testTogether(t, served(cases, false))
	for _, c := range served(cases, true) {
		testTogether(t, []*testCase{c})
	}
}

// served picks the cases that have something to be asked for.
func served(cases []*testCase, alone bool) []*testCase {
	var picked []*testCase
	for _, c := range cases {
		if c.section("request") != "" && c.section("server") != "" && alone == strings.HasPrefix(c.name, "alone/") &&
			(!c.newest || c.knows("newest.") || c.knows("strict.")) {
			picked = append(picked, c)
		}
	}
	return picked
}

// knows tells whether the case has an answer or a log of the kind.
func (c *testCase) knows(kind string) bool {
	_, response := c.find(kind + "response")
	_, log := c.find(kind + "log")
	return response || log
}

// testTogether serves cases from one server, which is made for the first one that
// is not filtered out by -run.
func testTogether(t *testing.T, cases []*testCase) {
	var prefix string
	start := sync.OnceValue(func() error {
		prefix = t.TempDir()
		return serveTogether(t, prefix, cases)
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := start(); err != nil {
				t.Fatal(err)
			}
			log := &logTail{path: filepath.Join(prefix, "logs", "error.log"), prefix: prefix}
			log.skip(t)
			response := exchange(t, c)
			logged := log.lines(t, c)
			if *oracle {
				c.set("want.response", response)
				c.set("want.log", logged)
				if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			diff(t, "want.response", response, c.wanted("response"))
			diff(t, "want.log", logged, c.wanted("log"))
		})
	}
}

// serveTogether builds and starts the server of cases, which ends with the test.
func serveTogether(t *testing.T, prefix string, cases []*testCase) error {
	if err := writeRoot(prefix, cases); err != nil {
		return err
	}
	writeCerts(t, prefix)
	release := oracleRelease
	if cases[0].newest {
		release = ""
	}
	env := append(os.Environ(), compatEnv+"="+release)
	var server *exec.Cmd
	if *oracle {
		if _, err := exec.LookPath("nginx"); err != nil {
			return fmt.Errorf("-oracle needs nginx with ngx_lua, echo, headers-more and brotli: %w", err)
		}
		server = exec.Command("nginx", "-p", prefix+"/", "-c", "nginx.conf", "-g", "daemon off; "+oracleMain)
	} else {
		binary := filepath.Join(prefix, "server")
		build := exec.Command("go", "run", "github.com/moonphase/moonphase/cmd/moonphase", "build", "-p", prefix, "-c", "nginx.conf", "-o", binary)
		build.Env = env
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
		server = exec.Command(binary, "-p", prefix+"/", "-c", "nginx.conf", "-g", "daemon off;")
		server.Env = env
	}
	var ports []int
	for _, c := range cases {
		c.holder.Close()
		c.prefix = prefix
		ports = append(ports, c.port)
	}
	return start(t, server, ports...)
}

func diff(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	around := func(lines []string) string {
		return strings.Join(lines[max(i-3, 0):min(i+6, len(lines))], "\n")
	}
	t.Errorf("%s line %d, got\n%s\nwant\n%s", what, i+1, around(g), around(w))
}

var sections = regexp.MustCompile(`^(conf|(newest\.)?(http|server|upstream|request)|log|(want|newest)\.(conf|response|log)|` +
	`strict\.(response|log)|(lua|html)/.+)$`)

// loadCases reads the cases and takes a port for each.
func loadCases(t *testing.T, newest bool) []*testCase {
	var paths []string
	for _, pattern := range []string{"*/*.txtar", "modules/*/*.txtar"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no cases %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	var cases []*testCase
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c := &testCase{name: strings.TrimSuffix(path, ".txtar"), path: path, archive: archive, newest: newest}
		for _, f := range archive.Files {
			if !sections.MatchString(f.Name) {
				t.Fatalf("%s: unknown section %q", path, f.Name)
			}
		}
		if !c.whole() {
			t.Fatalf("%s: needs the sections server and request, or conf", path)
		}
		texts := string(txtar.Format(archive))
		c.holder = takePort(t, texts)
		c.port = c.holder.Addr().(*net.TCPAddr).Port
		if script := c.section("upstream"); script != "" {
			c.behind = startUpstream(takePort(t, texts), script)
		}
		cases = append(cases, c)
	}
	return cases
}

// takePort listens on a port whose number does not stand in the texts of a case, where
// mask would hide it.
func takePort(t *testing.T, texts string) net.Listener {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if !strings.Contains(texts, fmt.Sprint(l.Addr().(*net.TCPAddr).Port)) {
			return l
		}
	}
}

// whole tells whether there is something to be asked, and all that it takes.
func (c *testCase) whole() bool {
	has := func(name string) bool {
		_, old := c.find(name)
		_, newer := c.find("newest." + name)
		return old || newer
	}
	return has("server") == has("request") && (has("server") || has("conf"))
}

// places fills in what a configuration cannot know: @PORT@ and the like.
func (c *testCase) places(prefix string) *strings.Replacer {
	pairs := []string{"@PORT@", fmt.Sprint(c.port), "@PREFIX@", prefix}
	if c.behind != nil {
		pairs = append(pairs, "@UPSTREAM@", fmt.Sprint(c.behind.port()))
	}
	return strings.NewReplacer(pairs...)
}

// mask hides what differs from run to run in answers and log lines.
func (c *testCase) mask(text string) string {
	text = strings.ReplaceAll(mask(text), fmt.Sprint(c.port), "PORT")
	if c.behind != nil {
		text = strings.ReplaceAll(text, fmt.Sprint(c.behind.port()), "UPSTREAM")
	}
	return text
}

// writeRoot lays out the server root that holds all cases.
func writeRoot(prefix string, cases []*testCase) error {
	var http, servers strings.Builder
	owner := map[string]string{}
	for _, dir := range []string{"logs", "lua", "html"} {
		if err := os.MkdirAll(filepath.Join(prefix, dir), 0o755); err != nil {
			return err
		}
	}
	for _, c := range cases {
		fill := c.places(prefix)
		http.WriteString(fill.Replace(c.section("http")))
		fmt.Fprintf(&servers, "server {\nlisten 127.0.0.1:%d;\n%s}\n", c.port, fill.Replace(c.section("server")))
		names, err := writeFiles(prefix, c)
		if err != nil {
			return err
		}
		for _, name := range names {
			if other := owner[name]; other != "" {
				return fmt.Errorf("%s and %s both have a file %s", other, c.path, name)
			}
			owner[name] = c.path
		}
	}
	// Listings and headers show when files were changed.
	err := filepath.WalkDir(filepath.Join(prefix, "html"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		changed := time.Date(2012, time.May, 10, 7, 50, 48, 0, time.UTC)
		return os.Chtimes(path, changed, changed)
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("worker_processes 1;\nerror_log logs/error.log notice;\npid logs/nginx.pid;\nevents {}\n"+
		"http {\naccess_log off;\ndefault_type text/plain;\nlua_package_path \"$prefix/lua/?.lua;;\";\n%s%s}\n", http.String(), servers.String())
	return os.WriteFile(filepath.Join(prefix, "nginx.conf"), []byte(text), 0o644)
}

// writeFiles writes the files that a case brings along and returns their names.
func writeFiles(prefix string, c *testCase) ([]string, error) {
	var names []string
	for _, f := range c.archive.Files {
		if !strings.Contains(f.Name, "/") {
			continue
		}
		names = append(names, f.Name)
		path := filepath.Join(prefix, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// serve starts the server, waits until it listens on all ports, and ends it with the
// test.
func serve(t *testing.T, server *exec.Cmd, ports ...int) {
	if err := start(t, server, ports...); err != nil {
		t.Fatal(err)
	}
}

// start is serve for a test other than the one that is running.
func start(t *testing.T, server *exec.Cmd, ports ...int) error {
	var stderr bytes.Buffer
	server.Stderr = &stderr
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			server.Process.Kill()
			t.Error("the server did not stop on SIGTERM")
		}
	})
	// Of each port, as the server tries again for one that another process had when
	// it was freed.
	deadline := time.Now().Add(20 * time.Second)
	for _, port := range ports {
		for {
			select {
			case err := <-ended:
				ended <- err
				return fmt.Errorf("the server ended: %w\n%s", err, stderr.Bytes())
			default:
			}
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the server does not listen\n%s", stderr.Bytes())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

var (
	volatile = regexp.MustCompile(`(?m)^(Date|Last-Modified|ETag): .*$`)
	boundary = regexp.MustCompile(`\b\d{20}\b`)
	long     = regexp.MustCompile(`x{500,}`) // of a log line that is cut: where, hangs on the digits of the pid
	excess   = regexp.MustCompile(`excess: \d+\.\d+`)
)

// mask makes two servers' answers comparable.
func mask(answer string) string {
	answer = confPlace.ReplaceAllString(strings.ReplaceAll(answer, "\r", ""), "(nginx.conf:N)")
	answer = boundary.ReplaceAllString(answer, "BOUNDARY")
	answer = excess.ReplaceAllString(answer, "excess: N")
	answer = long.ReplaceAllString(answer, "X...")
	return volatile.ReplaceAllString(answer, "$1: *")
}

// probed is in a line about a connection by which start found out that the server
// listens, which may come late.
const probed = "client closed connection while waiting for request"

// logTail reads what was added to the error log.
type logTail struct {
	path   string
	prefix string // the server root, named PREFIX in what lines returns
	at     int64
}

func (l *logTail) skip(t *testing.T) {
	if info, err := os.Stat(l.path); err == nil {
		l.at = info.Size()
	}
}

var (
	luaLine    = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\[\w+\]) \d+#\d+: (?:\*\d+ )?(.*)$`)
	logSubject = regexp.MustCompile(`, (client|server|request|host): .*$`)
	confPlace  = regexp.MustCompile(`\(nginx\.conf:\d+\)`)
)

// lines returns the new lines that the case asks for, or all of one that has an
// upstream: their level and message, without times, numbers and line numbers of
// the joint nginx.conf.
func (l *logTail) lines(t *testing.T, c *testCase) string {
	time.Sleep(30 * time.Millisecond) // the log phase comes after the answer
	f, err := os.Open(l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(l.at, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	keep := regexp.MustCompile(cmp.Or(strings.TrimSpace(c.section("log")), "lua"))
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.Contains(line, probed) {
			continue
		}
		if m := luaLine.FindStringSubmatch(line); m != nil {
			if c.behind == nil && !keep.MatchString(m[2]) || c.behind != nil && m[1] == "[notice]" {
				continue
			}
			line = m[1] + " " + m[2]
		}
		if c.behind == nil {
			line = logSubject.ReplaceAllString(line, "")
		}
		line = strings.ReplaceAll(line, l.prefix, "PREFIX")
		fmt.Fprintln(&out, c.mask(line))
	}
	return out.String()
}
