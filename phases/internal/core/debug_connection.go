package core

import (
	"net"
	"net/netip"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/runtime/inet"
)

// debugged are the clients of debug_connection: what is logged about their requests is
// logged as with the level debug.
type debugged struct {
	unix     bool
	prefixes []netip.Prefix
}

// setDebugConnection reads debug_connection ADDRESS | CIDR | NAME | unix:.
func setDebugConnection(c *Compiler, d *conf.Directive) error {
	who, arg := &c.Cycle.Main.debugged, d.Args[0]
	if arg == "unix:" {
		who.unix = true
		return nil
	}
	if p, ok := inet.ParseCIDR(arg); ok {
		if p.Masked() != p {
			c.Warnf(d, "low address bits of %s are meaningless", arg)
		}
		who.prefixes = append(who.prefixes, p.Masked())
		return nil
	}
	found, err := net.LookupHost(arg)
	if err != nil {
		return c.Missing(d, "host not found in debug_connection \"%s\"", arg)
	}
	for _, text := range found {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap().WithZone("")
			who.prefixes = append(who.prefixes, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return nil
}

// has tells whether the client of a connection is one of them.
func (w *debugged) has(conn Downstream) bool {
	if !w.unix && w.prefixes == nil || conn == nil {
		return false
	}
	remote := conn.RemoteAddr()
	if remote.Network() == "unix" {
		return w.unix
	}
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	addr := ap.Addr().Unmap().WithZone("")
	for _, p := range w.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// debugLog is a log that takes lines of each level.
type debugLog struct{ *errlog.Log }

func (debugLog) Enabled(errlog.Level) bool { return true }

func (l debugLog) Output(level errlog.Level, conn int64, msg string) { l.OutputAll(level, conn, msg) }
