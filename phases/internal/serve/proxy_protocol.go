package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

const (
	// proxyV1Max is the longest header of version 1, as its specification
	// counts it.
	proxyV1Max = 107
	// proxyV2Max bounds a header of version 2 with its extensions.
	proxyV2Max = 4096
	// proxyV2Head is the size of a version 2 header before its addresses.
	proxyV2Head = 16
)

// proxySignature begins a header of version 2.
var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// errProxyShort asks for more bytes of a header; errProxyBroken ends the
// connection without a word, as nginx does for addresses that are cut off.
var (
	errProxyShort  = errors.New("header is incomplete")
	errProxyBroken = errors.New("")
)

// readProxyHeader reads the PROXY protocol header at the start of a connection; like
// nginx it takes what comes first for the whole of it. The connection that is returned
// goes on behind it.
func readProxyHeader(nc net.Conn, timeout time.Duration) (core.ClientClaim, net.Conn, error) {
	_ = nc.SetReadDeadline(time.Now().Add(timeout))
	buf := make([]byte, proxyV2Max)
	n, err := nc.Read(buf)
	if n == 0 {
		return core.ClientClaim{}, nc, err
	}
	buf = buf[:n]
	h, size, err := parseProxyHeader(buf)
	switch {
	case err == nil:
		_ = nc.SetReadDeadline(time.Time{})
		return h, &replayConn{Conn: nc, first: buf[size:], state: replayAgain}, nil
	case errors.Is(err, errProxyShort) && n >= proxyV2Head && bytes.HasPrefix(buf, proxySignature):
		err = errors.New("header is too large")
	case errors.Is(err, errProxyShort):
		err = brokenProxyHeader(buf)
	}
	return h, nc, err
}

func brokenProxyHeader(b []byte) error { return fmt.Errorf("broken header: \"%s\"", b) }

// parseProxyHeader reads a header at the start of b and gives its size.
func parseProxyHeader(b []byte) (h core.ClientClaim, size int, err error) {
	if n := min(len(b), len(proxySignature)); bytes.Equal(b[:n], proxySignature[:n]) {
		if n < len(proxySignature) || len(b) < proxyV2Head {
			return h, 0, errProxyShort
		}
		return parseProxyV2(b)
	}
	const word = "PROXY "
	if n := min(len(b), len(word)); string(b[:n]) != word[:n] {
		return h, 0, brokenProxyHeader(b)
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 && len(b) < proxyV1Max {
		return h, 0, errProxyShort
	}
	if end < 0 || end >= proxyV1Max || end == 0 || b[end-1] != '\r' {
		return h, 0, brokenProxyHeader(b)
	}
	fields := strings.Split(string(b[len(word):end-1]), " ")
	switch fields[0] {
	case "UNKNOWN":
		return h, end + 1, nil
	case "TCP4", "TCP6":
		if len(fields) != 5 || !isAddrText(fields[1]) || !isAddrText(fields[2]) || !isPort(fields[3]) || !isPort(fields[4]) {
			return h, 0, brokenProxyHeader(b)
		}
		return core.ClientClaim{Addr: fields[1], Port: fields[3], ServerAddr: fields[2], ServerPort: fields[4]}, end + 1, nil
	}
	return h, 0, brokenProxyHeader(b)
}

// parseProxyV2 reads a header of version 2, of which the fixed part is there.
func parseProxyV2(b []byte) (h core.ClientClaim, size int, err error) {
	if version := b[12] >> 4; version != 2 {
		return h, 0, fmt.Errorf("unknown PROXY protocol version: %d", version)
	}
	size = proxyV2Head + int(binary.BigEndian.Uint16(b[14:]))
	if len(b) < size {
		return h, 0, errProxyShort
	}
	if b[12]&0xf != 1 || b[13]&0xf != 1 { // not a proxied TCP connection
		return h, size, nil
	}
	length := 0
	switch b[13] >> 4 {
	case 1:
		length = 4
	case 2:
		length = 16
	default:
		return h, size, nil
	}
	data := b[proxyV2Head:size]
	if len(data) < 2*length+4 {
		return h, 0, errProxyBroken
	}
	client, _ := netip.AddrFromSlice(data[:length])
	server, _ := netip.AddrFromSlice(data[length : 2*length])
	ports := data[2*length:]
	return core.ClientClaim{
		Addr: client.String(), Port: strconv.Itoa(int(binary.BigEndian.Uint16(ports))),
		ServerAddr: server.String(), ServerPort: strconv.Itoa(int(binary.BigEndian.Uint16(ports[2:]))),
		TLVs: bytes.Clone(ports[4:]),
	}, size, nil
}

// isAddrText tells whether s has only characters of an address. It is passed on as
// text, not used.
func isAddrText(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF.:") == ""
}

func isPort(s string) bool {
	n, ok := ngxtext.ParseDecimal(s)
	return ok && n <= 65535
}
