package proxy

import (
	"context"
	"net"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
)

// dial connects to addr. It ends early when ctx does.
func (x *exchange) dial(ctx context.Context, addr string) (*upstream.Conn, error) {
	network, where := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, where = "unix", path
	}
	d := net.Dialer{Timeout: x.st.Connect, KeepAlive: -1}
	if x.conf.socketKeepalive.V {
		d.KeepAlive = 0
	}
	if network == "tcp" {
		d.LocalAddr = x.local
	}
	nc, err := x.r.Cycle.Dial(func() (net.Conn, error) { return d.DialContext(ctx, network, where) })
	if err != nil {
		return nil, err
	}
	return upstream.NewConn(nc, addr), nil
}
