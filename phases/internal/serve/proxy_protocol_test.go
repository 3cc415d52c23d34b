package serve_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moonphase/moonphase/phases/internal/testserver"
)

// The answers are those of nginx 1.22.1; "" stands for a connection closed
// without one.
func TestProxyProtocol(t *testing.T) {
	s := testserver.Start(t, `events {} http { access_log off; server { listen ADDR proxy_protocol;
		location / { return 200 "$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$proxy_protocol_server_port|$remote_addr"; } } }`)
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	const four = "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x0b\x00\x16"
	tests := []struct{ name, header, want, log string }{
		{"v1 four", "PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n", "1.2.3.4|11|5.6.7.8|22|127.0.0.1", ""},
		{"v1 six", "PROXY TCP6 ::1 ::2 11 22\r\n", "::1|11|::2|22|127.0.0.1", ""},
		{"v1 unknown", "PROXY UNKNOWN a b c\r\n", "||||127.0.0.1", ""},
		{"v1 short", "PROXY TCP4 1.2.3.4 5.6.7.8 11\r\n", "", "broken header: \"PROXY TCP4 1.2.3.4 5.6.7.8 11\r\nGET / "},
		{"v1 bad address", "PROXY TCP4 x 5.6.7.8 11 22\r\n", "", "broken header: \"PROXY TCP4 x 5.6.7.8 11 22\r\n"},
		{"v1 bad port", "PROXY TCP4 1.2.3.4 5.6.7.8 99999 22\r\n", "", "broken header"},
		{"v1 line feed", "PROXY TCP4 1.2.3.4 5.6.7.8 11 22\n", "", "broken header"},
		{"v1 long", "PROXY TCP4 " + strings.Repeat("1", 120) + "\r\n", "", "broken header"},
		{"none", "", "", "broken header: \"GET / HTTP/1.1\r\n"},
		{"v2 four", v2 + "\x21\x11\x00\x0c" + four, "1.2.3.4|11|5.6.7.8|22|127.0.0.1", ""},
		{"v2 extension", v2 + "\x21\x11\x00\x10" + four + "\x04\x00\x01x", "1.2.3.4|11|5.6.7.8|22|127.0.0.1", ""},
		{"v2 six", v2 + "\x21\x21\x00\x24" + strings.Repeat("\x00", 15) + "\x01" + strings.Repeat("\x00", 15) + "\x02\x00\x0b\x00\x16", "::1|11|::2|22|127.0.0.1", ""},
		{"v2 local", v2 + "\x20\x00\x00\x00", "||||127.0.0.1", ""},
		{"v2 other family", v2 + "\x21\x31\x00\x00", "||||127.0.0.1", ""},
		{"v2 version", v2 + "\x31\x11\x00\x0c" + four, "", "unknown PROXY protocol version: 3 while reading PROXY protocol, client: 127.0.0.1, server: "},
		{"v2 cut off", v2 + "\x21\x11\x00\x04\x01\x02\x03\x04", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, _ := strings.Cut(s.Ask(tt.header+"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "\r\n\r\n")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			s.WantLog(tt.log)
		})
	}
}

// TestProxyProtocolHTTP2: each stream knows what the connection began with, and realip
// takes it for the client.
func TestProxyProtocolHTTP2(t *testing.T) {
	s := testserver.Start(t, `events {} http { access_log off; server { listen ADDR http2 proxy_protocol;
		set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
		location / { return 200 "$proxy_protocol_addr|$proxy_protocol_server_port|$remote_addr|$realip_remote_addr"; } } }`)
	c := dialHTTP2(t, s.Addr)
	c.raw("PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n").hello().get(1, "/").get(3, "/").send()
	got := strings.Join(c.events(200*time.Millisecond), "\n")
	if want := "1.2.3.4|22|1.2.3.4|127.0.0.1"; strings.Count(got, want) != 2 {
		t.Errorf("no two answers %q in\n%s", want, got)
	}
}
