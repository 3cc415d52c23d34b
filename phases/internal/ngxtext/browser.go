package ngxtext

import "strings"

// Browsers is what a User-Agent says of its sender, as far as nginx treats some
// unlike others (ngx_http_process_user_agent).
type Browsers uint8

const (
	BrowserMSIE Browsers = 1 << iota
	BrowserMSIE6
	BrowserChrome
	BrowserSafari
)

// BrowserOf reads a User-Agent.
func BrowserOf(agent string) (b Browsers) {
	if i := strings.Index(agent, "MSIE "); i >= 0 && i+7 < len(agent) {
		b |= BrowserMSIE
		if agent[i+6] == '.' {
			switch agent[i+5] {
			case '4', '5':
				b |= BrowserMSIE6
			case '6':
				if !strings.Contains(agent[i+7:], "SV1") {
					b |= BrowserMSIE6
				}
			}
		}
	}
	if strings.Contains(agent, "Opera") {
		return 0
	}
	if b != 0 {
		return b
	}
	switch {
	case strings.Contains(agent, "Gecko/"):
	case strings.Contains(agent, "Chrome/"):
		return BrowserChrome
	case strings.Contains(agent, "Safari/") && strings.Contains(agent, "Mac OS X"):
		return BrowserSafari
	}
	return 0
}
