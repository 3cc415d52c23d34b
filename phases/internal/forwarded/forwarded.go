// Package forwarded finds the address that trusted proxies say a client has. It is part
// of ngx_http_core_module in nginx; geo and realip ask for it.
package forwarded

import (
	"net/netip"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/inet"
)

// For is the field in which proxies note whom they ask for.
const For = "X-Forwarded-For"

// Proxy is who is believed: a network, or all unix sockets.
type Proxy struct {
	Unix   bool
	Prefix netip.Prefix // masked
}

// Walk goes from an address back along those that proxies noted.
type Walk struct {
	Trusted   []Proxy
	Recursive bool // goes on behind an address that is trusted too

	// Where it is: the client's address at first. Port is 0 for an address without one.
	IP    netip.Addr
	Port  uint16
	Unix  bool
	Moved bool
}

// Lists follows the lines of X-Forwarded-For, of which the last is asked first; unless
// the walk is recursive no other one is (ngx_http_get_forwarded_addr).
func (w *Walk) Lists(in core.Headers) {
	for i := len(in) - 1; i >= 0; i-- {
		if ngxtext.EqualFold(in[i].Name, For) && (!w.List(in[i].Value) || !w.Recursive) {
			return
		}
	}
}

// List follows one list from its end, and reports whether it came to its beginning
// (ngx_http_get_forwarded_addr_internal).
func (w *Walk) List(text string) bool {
	for w.trusts() {
		for len(text) > 1 && isSeparator(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		from := len(text) - 1
		for from > 0 && !isSeparator(text[from]) {
			from--
		}
		if from > 0 {
			from++
		}
		next, ok := inet.ParseIPPort(text[max(from, 0):])
		if !ok {
			return false
		}
		w.IP, w.Port, w.Unix, w.Moved = next.Addr(), next.Port(), false, true
		if from <= 0 || !w.Recursive {
			return true
		}
		text = text[:from-1]
	}
	return false
}

func isSeparator(c byte) bool { return c == ' ' || c == ',' }

// trusts tells whether the address where it is belongs to a trusted proxy.
func (w *Walk) trusts() bool {
	ip := w.IP.Unmap()
	for i := range w.Trusted {
		p := &w.Trusted[i]
		if p.Unix && w.Unix || !w.Unix && ip.IsValid() && p.Prefix.Contains(ip) {
			return true
		}
	}
	return false
}
