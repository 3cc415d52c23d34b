package serve

import (
	"net"
	"testing"
)

// TestClientWait ends waits from outside.
func TestClientWait(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	var w clientWait
	if w.cut(clientWaits, here) {
		t.Error("cut without a wait")
	}
	for range 2 {
		if !w.begin(clientWaits) {
			t.Error("a wait cannot begin")
		}
	}
	if w.end() {
		t.Error("a wait that nobody ended was cut")
	}
	w.begin(clientWaits)
	if w.cut(clientKeeps, here) || !w.cut(clientWaits, here) || w.cut(clientWaits, here) {
		t.Error("a wait is cut once")
	}
	if w.begin(clientWaits) {
		t.Error("a wait that was cut goes on")
	}
	if !w.end() || w.end() {
		t.Error("the end of a wait does not tell once that it was cut")
	}
}
