package ngx

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/moonphase/moonphase/phases"
)

// asServer makes the test binary run as the server.
const asServer = "MOONPHASE_GOLDEN_SERVER"

func TestMain(m *testing.M) {
	os.Setenv("MOONPHASE_COMPAT", oracleRelease)
	if os.Getenv(asServer) != "" {
		os.Exit(phases.Main(os.Args[1:], phases.Binary{}))
	}
	os.Exit(m.Run())
}

// TestConf compares what -t says of the configurations in the sections conf.
func TestConf(t *testing.T) {
	for _, c := range loadCases(t) {
		if c.section("conf") != "" {
			t.Run(c.name, func(t *testing.T) { testConf(t, c) })
		}
	}
}

func testConf(t *testing.T, c *testCase) {
	prefix := t.TempDir()
	for _, dir := range []string{"logs", "lua", "html"} {
		if err := os.Mkdir(filepath.Join(prefix, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFiles(t, prefix, c)
	writeCerts(t, prefix)
	want := map[string]string{} // by the text that was judged
	text := ""
	for line := range strings.Lines(c.section("want.conf")) {
		if answer, ok := strings.CutPrefix(line, "\t"); ok {
			want[text] += answer
		} else {
			text = line
		}
	}
	var all strings.Builder
	for text := range strings.Lines(c.section("conf")) {
		got := judge(t, prefix, strings.ReplaceAll(text, "@PREFIX@", prefix))
		if !*oracle && got != want[text] {
			t.Errorf("%sgot  %swant %s", text, got, want[text])
		}
		all.WriteString(text)
		for line := range strings.Lines(got) {
			all.WriteString("\t" + line)
		}
	}
	if *oracle {
		c.set("want.conf", all.String())
		if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// logTime is what begins a line of the error log, which nginx says these things in
// when its first log is the terminal.
var logTime = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\[\w+\]) \d+#\d+: `)

// judge returns what -t says of a text, all in the first line of the file: the
// complaints, or ok. A text without events{} stands in http{}. A server that listens nowhere does so on a socket of its own,
// so that it matters to nobody which ports are taken.
func judge(t *testing.T, prefix, text string) string {
	if !strings.Contains(text, "listen ") {
		text = strings.ReplaceAll(text, "server {", "server { listen unix:"+prefix+"/logs/t.sock;")
	}
	text = strings.TrimSuffix(text, "\n")
	if !strings.Contains(text, "events {") {
		text = "events {} http { access_log off; " + text + " }"
	}
	text = "pid logs/nginx.pid; " + text + "\n"
	if err := os.WriteFile(filepath.Join(prefix, "nginx.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-p", prefix + "/", "-c", "nginx.conf", "-t"}
	server := exec.Command(os.Args[0], args...)
	server.Env = append(os.Environ(), asServer+"=1")
	if *oracle {
		server = exec.Command("nginx", append(args, "-g", oracleMain)...)
	}
	out, err := server.CombinedOutput()
	var said strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(string(out), prefix, "PREFIX")) {
		line = strings.TrimPrefix(logTime.ReplaceAllString(line, "$1 "), "nginx: ")
		if !strings.HasPrefix(line, "configuration file ") && !strings.HasPrefix(line, "the configuration file ") {
			said.WriteString(line)
		}
	}
	if err == nil {
		said.WriteString("ok\n")
	}
	return said.String()
}
