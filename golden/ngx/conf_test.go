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

// asServer makes the test binary run as the server. compatEnv says which release it
// is then, the newest where it is empty.
const (
	asServer  = "MOONPHASE_GOLDEN_SERVER"
	compatEnv = "MOONPHASE_COMPAT"
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(phases.Main(os.Args[1:], phases.Binary{}))
	}
	os.Setenv(compatEnv, oracleRelease)
	os.Exit(m.Run())
}

// TestConf compares what -t says of the configurations in the sections conf and
// newest.conf.
func TestConf(t *testing.T) {
	for _, c := range loadCases(t, false) {
		newest, _ := c.find("newest.conf")
		if c.section("conf") != "" || newest != "" {
			t.Run(c.name, func(t *testing.T) { testConf(t, c, newest) })
		}
	}
}

func testConf(t *testing.T, c *testCase, newest string) {
	prefix := t.TempDir()
	for _, dir := range []string{"logs", "lua", "html"} {
		if err := os.Mkdir(filepath.Join(prefix, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writeFiles(prefix, c); err != nil {
		t.Fatal(err)
	}
	writeCerts(t, prefix)
	if *oracle {
		recordConf(t, prefix, c)
		return
	}
	recorded, _ := c.find("want.conf")
	want := judgements(recorded)
	for text := range strings.Lines(c.section("conf")) {
		if got := judge(t, prefix, text, oracleRelease); got != want[text] {
			t.Errorf("%sgot  %swant %s", text, got, want[text])
		}
	}
	for text, want := range judgements(newest) {
		if got := judge(t, prefix, text, ""); got != want {
			t.Errorf("the newest: %sgot  %swant %s", text, got, want)
		}
	}
}

// recordConf writes down what nginx -t says.
func recordConf(t *testing.T, prefix string, c *testCase) {
	var all strings.Builder
	for text := range strings.Lines(c.section("conf")) {
		all.WriteString(text)
		for line := range strings.Lines(judge(t, prefix, text, oracleRelease)) {
			all.WriteString("\t" + line)
		}
	}
	c.set("want.conf", all.String())
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// judgements reads a section want.conf: what is said, by the text that it is said of.
func judgements(section string) map[string]string {
	said, text := map[string]string{}, ""
	for line := range strings.Lines(section) {
		if answer, ok := strings.CutPrefix(line, "\t"); ok {
			said[text] += answer
		} else {
			text = line
		}
	}
	return said
}

// logTime is what begins a line of the error log, which nginx says these things in
// when its first log is the terminal.
var logTime = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\[\w+\]) \d+#\d+: `)

// judge returns what -t of a release says of a text, all in the first line of the file: the
// complaints, or ok. A text without events{} stands in http{}. A server that listens nowhere does so on a socket of its own,
// so that it matters to nobody which ports are taken.
func judge(t *testing.T, prefix, text, release string) string {
	text = strings.ReplaceAll(text, "@PREFIX@", prefix)
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
	server.Env = append(os.Environ(), asServer+"=1", compatEnv+"="+release)
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
