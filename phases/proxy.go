package phases

// proxyConf is what the proxy directives say in a location.
type proxyConf struct{}

func (p *proxyConf) merge(*proxyConf, bool) {}

func proxyDirectives() []directive { return nil }

// upstreamState is what a request notes about its upstream.
type upstreamState struct {
	name                            string
	addrs, statuses, times, lengths string
	headers                         Headers
}

type upstreamConn struct{}

func upstreamHeaderVar(name string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		return headerByVar(r.upstream.headers, name, ", ")
	}
}

func upstreamVar(f func(u *upstreamState) string) func(*Request) (string, bool) {
	return func(r *Request) (string, bool) {
		if r.upstream == nil {
			return "", false
		}
		return f(r.upstream), true
	}
}

func proxyHostVar(*Request) (string, bool) { return "", false }
func proxyPortVar(*Request) (string, bool) { return "", false }
