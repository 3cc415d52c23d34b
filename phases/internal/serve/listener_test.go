package serve

import (
	"net"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// TestAddressInUse gives nginx's message.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listen(&core.Listen{Addr: l.Addr().String()})
	if got := conf.Errno(err); got != "98: Address already in use" {
		t.Errorf("got %s", got)
	}
}
