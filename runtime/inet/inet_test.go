package inet

import (
	"fmt"
	"strings"
	"testing"
)

// TestParse has what nginx 1.22.1 says to hosts with port 80 (ngx_parse_url).
func TestParse(t *testing.T) {
	tests := []struct{ host, want string }{
		{"127.0.0.1", "ip 127.0.0.1 80"}, {"127.0.0.1:8080", "ip 127.0.0.1 8080"}, {"127.000.0.01", "ip 127.0.0.1 80"},
		{"127..0.1", "ip 127.0.0.1 80"}, {"...", "ip 0.0.0.0 80"}, {"127.1", "name 127.1 80"}, {"1.2.3.256", "name 1.2.3.256 80"},
		{"255.255.255.255", "name 255.255.255.255 80"}, {"a.test", "name a.test 80"}, {"a.test:8", "name a.test:8 8"},
		{"1.2.3.4.5", "name 1.2.3.4.5 80"}, {" 1.2.3.4", "name  1.2.3.4 80"},
		{"", "no host"}, {":80", "no host"}, {":", "invalid port"}, {"a:", "invalid port"}, {"a:0", "invalid port"},
		{"a:65536", "invalid port"}, {"a:x", "invalid port"}, {"a:-1", "invalid port"}, {"::1", "invalid port"},
		{"a/b", "invalid host"}, {"a?b", "invalid host"}, {"/", "invalid host"},
		{"[::1]", "ip ::1 80"}, {"[::1]:8", "ip ::1 8"}, {"[::1]:", "invalid port"}, {"[::1]:0", "invalid port"}, {"[::1", "invalid host"},
		{"[::1]x", "invalid host"}, {"[::1]/", "invalid host"}, {"[]", "no host"}, {"[zz]", "invalid IPv6 address"},
		{"[1.2.3.4]", "invalid IPv6 address"}, {"[fe80::1%lo]", "invalid IPv6 address"}, {"[::ffff:1.2.3.4]", "ip ::ffff:1.2.3.4 80"},
		{"unix:/a", "unix /a 0"}, {"UNIX:a", "unix a 0"}, {"unix:", "no path in the unix domain socket"},
		{"unix:" + strings.Repeat("x", 107), "unix " + strings.Repeat("x", 107) + " 0"},
		{"unix:" + strings.Repeat("x", 108), "too long path in the unix domain socket"},
	}
	for _, tt := range tests {
		a, got := Parse(tt.host, 80)
		if got == "" {
			kind := "ip"
			if a.Name {
				kind = "name"
			} else if a.Unix {
				kind = "unix"
			}
			got = fmt.Sprint(kind, " ", a.Host, " ", a.Port)
		}
		if got != tt.want {
			t.Errorf("Parse(%q) is %q, want %q", tt.host, got, tt.want)
		}
	}
}

// TestParseIPPort has what nginx 1.22.1 takes for addresses in X-Forwarded-For.
func TestParseIPPort(t *testing.T) {
	tests := []struct{ text, want string }{
		{"1.2.3.4", "1.2.3.4 0"}, {"1.2.3.4:5", "1.2.3.4 5"}, {"01.02.3.4", "1.2.3.4 0"}, {"::1", "::1 0"}, {"[::1]:8", "::1 8"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4 0"}, {"::1.2.3.4", "::1.2.3.4 0"}, {"::2", "::2 0"}, {"::1:2", "::0.1.0.2 0"}, {"::102", "::0.0.1.2 0"}, {"::", ":: 0"},
		{"[::1]", ""}, {"1.2.3.4:", ""}, {"1.2.3.4:0", ""}, {"1.2.3.4:65536", ""}, {"255.255.255.255", ""}, {"fe80::1%lo", ""}, {"", ""},
		{"unix:", ""}, {"unknown", ""}, {"[1.2.3.4]:5", "1.2.3.4 5"},
	}
	for _, tt := range tests {
		got := ""
		if ap, ok := ParseIPPort(tt.text); ok {
			got = fmt.Sprint(Text(ap.Addr()), " ", ap.Port())
		}
		if got != tt.want {
			t.Errorf("ParseIPPort(%q) is %q, want %q", tt.text, got, tt.want)
		}
	}
}
