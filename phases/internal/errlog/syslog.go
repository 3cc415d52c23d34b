package errlog

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/runtime/inet"
)

// Syslog is a log that goes to a syslog server, as datagrams of RFC 3164.
type Syslog struct {
	Addr     string // "host:port" or "unix:/path"
	facility int
	severity int // of access-log lines
	tag      string
	host     string // "" with nohostname

	mu   sync.Mutex
	conn net.Conn
}

// syslogFacilities are the names of facilities, in the order of their numbers.
var syslogFacilities = []string{"kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock",
	"authpriv", "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// syslogSeverities are the names of severities, in the order of their numbers.
var syslogSeverities = []string{"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}

// parseSyslog reads the parameters behind "syslog:".
func parseSyslog(text string) (*Syslog, error) {
	host, _ := os.Hostname()
	p := &Syslog{facility: 23, severity: 6, tag: "nginx", host: host} // local7, info
	given := map[string]bool{}
	for _, param := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(param, "=")
		if given[key] && key != "nohostname" {
			return nil, fmt.Errorf("duplicate syslog \"%s\"", key)
		}
		given[key] = true
		var err error
		switch key {
		case "server":
			p.Addr, err = syslogServer(value)
		case "facility":
			if p.facility = slices.Index(syslogFacilities, value); p.facility < 0 {
				err = fmt.Errorf("unknown syslog facility \"%s\"", value)
			}
		case "severity":
			if p.severity = slices.Index(syslogSeverities, value); p.severity < 0 {
				err = fmt.Errorf("unknown syslog severity \"%s\"", value)
			}
		case "tag":
			p.tag, err = value, checkTag(value)
		case "nohostname":
			p.host = ""
		default:
			err = fmt.Errorf("unknown syslog parameter \"%s\"", param)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.Addr == "" {
		return nil, fmt.Errorf("no syslog server specified")
	}
	return p, nil
}

// syslogServer reads the address of a server. One that is given by name must be found
// now, by the system's means.
func syslogServer(text string) (string, error) {
	a, reason := inet.Parse(text, 514)
	switch {
	case reason != "":
		return "", fmt.Errorf("%s in syslog server \"%s\"", reason, text)
	case a.Unix:
		return text, nil
	}
	if a.Name {
		if _, err := net.LookupHost(a.Host); err != nil {
			return "", fmt.Errorf("host not found in syslog server \"%s\"", text)
		}
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)), nil
}

// checkTag judges a tag: letters, digits and underscores.
func checkTag(tag string) error {
	if len(tag) > 32 {
		return fmt.Errorf("syslog tag length exceeds 32")
	}
	for _, c := range []byte(tag) {
		if c != '_' && (c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z') {
			return fmt.Errorf("syslog \"tag\" only allows alphanumeric characters and underscore")
		}
	}
	return nil
}

// Send sends a line of an access log, without its line feed, with the severity that
// the configuration gives such lines.
func (p *Syslog) Send(line []byte) error { return p.send(p.severity, line) }

// send sends a line without its line feed.
func (p *Syslog) send(severity int, line []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		network, addr := "udp", p.Addr
		if path, ok := strings.CutPrefix(addr, "unix:"); ok {
			network, addr = "unixgram", path
		}
		conn, err := net.Dial(network, addr)
		if err != nil {
			return err
		}
		p.conn = conn
	}
	b := append(make([]byte, 0, len(line)+80), '<')
	b = strconv.AppendInt(b, int64(p.facility*8+severity), 10)
	b = append(b, '>')
	b = time.Now().AppendFormat(b, "Jan _2 15:04:05 ")
	if p.host != "" {
		b = append(append(b, p.host...), ' ')
	}
	b = append(append(b, p.tag...), ':', ' ')
	b = append(b, line...)
	_, err := p.conn.Write(b)
	if err != nil && !isRefused(err) {
		_ = p.conn.Close()
		p.conn = nil
	}
	return err
}

// isRefused tells that nobody listened to an earlier datagram. The socket is still
// good.
func isRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "write"
}
