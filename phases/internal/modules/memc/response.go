package memc

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// pattern is an answer of one line: a text, what follows it, and the status that it is
// for the client.
type pattern struct {
	text   string
	rest   rest
	status int
}

type rest uint8

const (
	lineEnds rest = iota
	anyText
	digits // at least one, and perhaps spaces behind them
)

// failures are the answers that each command may get.
var failures = []pattern{{"ERROR", lineEnds, 502}, {"CLIENT_ERROR ", anyText, 502}, {"SERVER_ERROR ", anyText, 502}}

// match tells how many bytes of b are as the pattern has them, and whether that is all
// of it.
func (p *pattern) match(b []byte) (n int, whole bool) {
	for n < len(p.text) {
		if n == len(b) || b[n] != p.text[n] {
			return n, false
		}
		n++
	}
	switch p.rest {
	case anyText:
		for n < len(b) && b[n] != '\r' && b[n] != '\n' {
			n++
		}
	case digits:
		start := n
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		if n == start {
			return n, false
		}
		for n < len(b) && b[n] == ' ' {
			n++
		}
	}
	for _, end := range []byte("\r\n") {
		if n == len(b) || b[n] != end {
			return n, false
		}
		n++
	}
	return n, true
}

// Reset has nothing to forget: each response starts afresh.
func (x *exchange) Reset() {}

// ParseHead finds out what an answer says. Those of one line are the body, too.
func (x *exchange) ParseHead(b []byte) (n int, done bool, err error) {
	switch {
	case x.name == "get":
		return x.parseGet(b)
	case x.name == "stats":
		return x.parseLines(b)
	}
	h := &x.In.Head
	furthest := 0
	for _, list := range [][]pattern{x.command.answers, failures} {
		for i := range list {
			n, whole := list[i].match(b)
			if whole {
				h.Status, h.Length = list[i].status, int64(n)
				return 0, true, nil
			}
			furthest = max(furthest, n)
		}
	}
	if furthest == len(b) { // as far as it came
		return 0, false, nil
	}
	x.R.Logf(errlog.Err, "memcached sent invalid response for command \"%s\" at pos %d: %s", x.name, furthest, b[:furthest])
	h.Status, h.Length, h.Close = 502, -1, true
	return furthest, true, nil
}

// parseLines waits for the last line of several.
func (x *exchange) parseLines(b []byte) (n int, done bool, err error) {
	h := &x.In.Head
	h.Status, h.Length = 200, int64(len(b))
	for i := range failures {
		if n, whole := failures[i].match(b); whole {
			h.Status, h.Length = failures[i].status, int64(n)
			return 0, true, nil
		}
	}
	return 0, bytes.HasSuffix(b, []byte("END\r\n")) && (len(b) == 5 || b[len(b)-6] == '\n'), nil
}

// parseGet reads the line before a value, or that there is none.
func (x *exchange) parseGet(b []byte) (n int, done bool, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, false, nil
	}
	line, hasCR := strings.CutSuffix(string(b[:end]), "\r")
	h := &x.In.Head
	h.Status, h.Length = 200, 0
	value, isValue := strings.CutPrefix(line, "VALUE ")
	switch {
	case hasCR && isValue:
		err = x.parseValue(line, value)
		return end + 1, err == nil, err
	case hasCR && line == "END":
		x.R.Logf(errlog.Info, "key: \"%s\" was not found by memcached", x.key)
		h.Status = 404
		return end + 1, true, nil
	}
	return end + 1, false, invalid(line)
}

func invalid(line string) error {
	return upstream.HeadError(fmt.Sprintf("memcached sent invalid response: \"%s\"", line))
}

// parseValue reads KEY FLAGS LENGTH. The flags are whatever they are.
func (x *exchange) parseValue(line, text string) error {
	rest, ok := strings.CutPrefix(text, x.key)
	if !ok {
		return upstream.HeadError(fmt.Sprintf("memcached sent invalid key in response \"%s\" for key \"%s\"", line, x.key))
	}
	rest, ok = strings.CutPrefix(rest, " ")
	flags, length, two := strings.Cut(rest, " ")
	if !ok || !two {
		return invalid(line)
	}
	if x.In.Head.Length, ok = ngxtext.ParseDecimal(length); !ok {
		return upstream.HeadError(fmt.Sprintf("memcached sent invalid length in response \"%s\" for key \"%s\"", line, x.key))
	}
	x.R.SetIndexed(x.conf.flags, flags)
	if n, ok := ngxtext.ParseDecimal(flags); ok && x.conf.modified.V {
		x.R.Out.LastModified = n
	}
	return nil
}

// StartBody goes on to the value, or to the line that the answer is.
func (x *exchange) StartBody() {
	h := &x.In.Head
	switch {
	case x.name == "get" && h.Status == 200:
		x.value = upstream.Trailed{X: &x.Exchange, Left: h.Length, Trailer: "\r\nEND\r\n", Wrong: "memcached sent invalid trailer"}
		x.In.InsideJoined(&x.value)
	case h.Length < 0 || h.Status == 404:
		x.In.ByLength(0, "")
	default:
		x.In.ByLength(h.Length, "")
		x.In.BodyRead = min(x.In.BodyRead, h.Length)
	}
}
