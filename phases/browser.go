package phases

import "strings"

// browsers is what a User-Agent says of its sender, as far as nginx treats some
// unlike others (ngx_http_process_user_agent).
type browsers uint8

const (
	browserMSIE browsers = 1 << iota
	browserMSIE6
	browserChrome
	browserSafari
)

// browserOf reads a User-Agent.
func browserOf(agent string) (b browsers) {
	if i := strings.Index(agent, "MSIE "); i >= 0 && i+7 < len(agent) {
		b |= browserMSIE
		if agent[i+6] == '.' {
			switch agent[i+5] {
			case '4', '5':
				b |= browserMSIE6
			case '6':
				if !strings.Contains(agent[i+7:], "SV1") {
					b |= browserMSIE6
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
		return browserChrome
	case strings.Contains(agent, "Safari/") && strings.Contains(agent, "Mac OS X"):
		return browserSafari
	}
	return 0
}

// browser is what the request's User-Agent says.
func (r *Request) browser() browsers {
	agent, _ := r.In.Get("User-Agent")
	return browserOf(agent)
}
