package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A block is one case of the suite: a configuration, what to send to it and what
// to expect. The suite's README describes every section.
type block struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Conf     latin1            `json:"conf"`
	Files    map[string]latin1 `json:"files"`
	Repeat   int               `json:"repeat"`
	UseHUP   bool              `json:"use_hup"`
	Timeout  string            `json:"timeout"`
	Sections map[string]value  `json:"sections"`

	place int // the number of its server: blocks that HUP loads share one
}

// file is the part of the id before the ordinal: the suite's file.
func (b *block) file() string {
	name, _, _ := strings.Cut(b.ID, "#")
	return name
}

func (b *block) has(section string) bool {
	_, ok := b.Sections[section]
	return ok
}

// text returns a section that is one string, "" when it is absent.
func (b *block) text(section string) string {
	if v := b.Sections[section]; len(v.items) > 0 {
		return v.items[0].text
	}
	return ""
}

// readTimeout is how long the client waits for the response.
func (b *block) readTimeout() time.Duration {
	s := b.Timeout
	if b.has("timeout") {
		s = b.text("timeout")
	}
	return seconds(s)
}

func seconds(s string) time.Duration {
	f, _ := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return time.Duration(f * float64(time.Second))
}

// latin1 is a JSON string whose characters are the bytes of a file.
type latin1 string

// UnmarshalJSON implements json.Unmarshaler.
func (l *latin1) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*l = latin1(toBytes(s))
	return nil
}

// toBytes turns characters up to U+00FF into bytes; text with others is UTF-8.
func toBytes(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			return s
		}
		out = append(out, byte(r))
	}
	return string(out)
}

// A value is what a section holds: one item, or a list of them.
type value struct {
	items []item
	list  bool
}

// An item is a string or a regular expression.
type item struct {
	text   string
	regexp bool
	wait   time.Duration // before a piece of a request is sent
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		var it item
		if err := it.UnmarshalJSON(data); err != nil {
			return err
		}
		v.items = []item{it}
		return nil
	}
	v.list = true
	return json.Unmarshal(data, &v.items)
}

// UnmarshalJSON implements json.Unmarshaler.
func (it *item) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		var s latin1
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		it.text = string(s)
		return nil
	}
	var object struct {
		Regexp *latin1         `json:"__regexp"`
		Bytes  *string         `json:"__bytes_b64"`
		Value  json.RawMessage `json:"value"`
		Before float64         `json:"delay_before"`
		Delay  float64         `json:"delay"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	switch {
	case object.Regexp != nil:
		it.text, it.regexp = string(*object.Regexp), true
	case object.Bytes != nil:
		raw, err := base64.StdEncoding.DecodeString(*object.Bytes)
		it.text = string(raw)
		return err
	case object.Value != nil:
		if err := it.UnmarshalJSON(object.Value); err != nil {
			return err
		}
		it.wait = time.Duration((object.Before + object.Delay) * float64(time.Second))
	default:
		return fmt.Errorf("section value of unknown form: %s", data)
	}
	return nil
}

// readBlocks reads the suite, one JSON object a line.
func readBlocks(path string) ([]*block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var blocks []*block
	hup := map[string]int{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		b := new(block)
		if err := json.Unmarshal(in.Bytes(), b); err != nil {
			return nil, fmt.Errorf("%s, block %d: %w", path, len(blocks)+1, err)
		}
		b.place = len(blocks)
		if first, ok := hup[b.file()]; ok && b.UseHUP {
			b.place = first
		} else if b.UseHUP {
			hup[b.file()] = b.place
		}
		blocks = append(blocks, b)
	}
	return blocks, in.Err()
}

// absentModules are things a block may need that neither this machine nor we have.
var absentModules = []struct {
	needs  *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`(?m)^\s*memc_`), "module memc"},
	{regexp.MustCompile(`(?m)^\s*srcache_`), "module srcache"},
	{regexp.MustCompile(`(^|\s|set_var\.)set_(unescape_uri|escape_uri|quote\w*|md5|sha1)\b`), "module set-misc"},
	{regexp.MustCompile(`@SRC@`), "the suite's own files"},
}

// notApplicable gives the reason why a block cannot be run here, "" when it can.
func (b *block) notApplicable() string {
	for _, m := range absentModules {
		if m.needs.MatchString(string(b.Conf)) {
			return m.reason
		}
	}
	for _, p := range b.Sections["error_log"].patterns() {
		if strings.Contains(p.text, "Operation not permitted") {
			return "firewall rules"
		}
	}
	if strings.Contains(string(b.Conf), "0.0.0.1;") && thisNetworkAnswers() {
		return "a network where nobody answers at 0.0.0.1"
	}
	if strings.Contains(string(b.Conf), "10.99.0.2") && !isLocalAddress("10.99.0.2") {
		return "local address 10.99.0.2"
	}
	return ""
}

// thisNetworkAnswers reports that 0.0.0.1:80, which blocks take for an address that
// cannot be reached, is answered here: a proxy takes all connections.
var thisNetworkAnswers = sync.OnceValue(func() bool {
	c, err := net.DialTimeout("tcp", "0.0.0.1:80", time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
})

func isLocalAddress(ip string) bool {
	l, err := net.Listen("tcp", ip+":0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// accumulates reports whether the log of a block is looked at from the start of the
// server in each repetition. It is a switch of the suite's files.
func (b *block) accumulates() bool {
	return b.file() == "025-codecache" || b.file() == "123-lua-path"
}

var fixedListener = regexp.MustCompile(`(?m)^\s*listen\s+([^@\s;]+)[\s;]`)

// exclusive names the addresses of this machine that the block claims. Blocks that
// claim the same one do not run at the same time.
func (b *block) exclusive() []string {
	var claims []string
	for _, m := range fixedListener.FindAllStringSubmatch(string(b.Conf), -1) {
		claims = append(claims, m[1][strings.LastIndexByte(m[1], ':')+1:])
	}
	for _, section := range []string{"tcp_listen", "udp_listen"} {
		if b.has(section) {
			claims = append(claims, strings.TrimSpace(b.text(section)))
		}
	}
	return claims
}
