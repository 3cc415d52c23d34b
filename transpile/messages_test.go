package transpile

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// oracle rewrites the texts of testdata/messages.txt from LuaJIT.
var oracle = flag.Bool("oracle", false, "record what luajit says in testdata/messages.txt")

// message is a row of testdata/messages.txt: a quoted chunk, " -> ", and the
// quoted text LuaJIT refuses it with, "" when it takes it. A row that ends in
// " !luajit" follows LuaJIT with its 5.2 switch on, as in OpenResty; the stock
// luajit of a distribution does something else there.
type message struct {
	src, want string
	notStock  bool
}

const messagesFile = "testdata/messages.txt"

func readMessages(t *testing.T) []message {
	t.Helper()
	f, err := os.Open(messagesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []message
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line, notStock := strings.CutSuffix(sc.Text(), " !luajit")
		src, want, _ := strings.Cut(line, " -> ")
		row := message{notStock: notStock}
		var err1, err2 error
		row.src, err1 = strconv.Unquote(src)
		row.want, err2 = strconv.Unquote(want)
		if err1 != nil || err2 != nil {
			t.Fatalf("bad row %s", line)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestMessages: a broken chunk is refused with LuaJIT's line and words.
func TestMessages(t *testing.T) {
	rows := readMessages(t)
	if *oracle {
		recordMessages(t, rows)
	}
	for _, row := range rows {
		_, ds := Modules("t.lua", "", []byte(row.src))
		got := LuaError(ds)
		if got == "" && len(ds) > 0 {
			got = ds[0].Msg
		}
		if got != row.want {
			t.Errorf("%q\n got %q\nwant %q", row.src, got, row.want)
		}
		checkPlaces(t, row.src, ds)
	}
}

// checkPlaces wants every diagnostic to point into the text.
func checkPlaces(t *testing.T, src string, ds []Diagnostic) {
	t.Helper()
	for _, d := range ds {
		if d.Line < 1 || d.Col < 1 || d.Line > strings.Count(src, "\n")+strings.Count(src, "\r")+1 || d.Col > len(src)+1 {
			t.Errorf("%q: diagnostic outside the text: %+v", src, d)
		}
	}
}

// TestMessagesOracle checks the recorded texts, when luajit is there.
func TestMessagesOracle(t *testing.T) {
	rows := readMessages(t)
	for i, got := range luajit(t, rows) {
		if row := rows[i]; !row.notStock && got != row.want {
			t.Errorf("%q\nluajit says %q\nrecorded    %q", row.src, got, row.want)
		}
	}
}

// luajit loads every chunk and gives its messages.
func luajit(t *testing.T, rows []message) []string {
	t.Helper()
	bin, err := exec.LookPath("luajit")
	if err != nil {
		t.Skip("no luajit")
	}
	var script bytes.Buffer
	script.WriteString("local function try(s) local f, err = loadstring(s, '=c') print(f and '' or err:sub(3)) end\n")
	for _, row := range rows {
		script.WriteString("try \"")
		for i := range len(row.src) {
			fmt.Fprintf(&script, "\\%03d", row.src[i])
		}
		script.WriteString("\"\n")
	}
	cmd := exec.Command(bin, "-")
	cmd.Stdin = &script
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func recordMessages(t *testing.T, rows []message) {
	t.Helper()
	var b bytes.Buffer
	for i, text := range luajit(t, rows) {
		mark := ""
		if rows[i].notStock {
			text, mark = rows[i].want, " !luajit"
		}
		rows[i].want = text
		fmt.Fprintf(&b, "%s -> %s%s\n", strconv.Quote(rows[i].src), strconv.Quote(text), mark)
	}
	if err := os.WriteFile(messagesFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
