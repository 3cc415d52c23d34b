package sockio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is a connection of ours to a peer of package net.
func pair(t testing.TB, network string) (ours, peer net.Conn) {
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	ours = Wrap(nc)
	if _, ok := ours.(*Conn); !ok {
		t.Fatalf("%T was not wrapped", nc)
	}
	t.Cleanup(func() { ours.Close(); peer.Close() })
	return ours, peer
}

// TestTransfer sends more than the socket takes at once, both ways at the same time.
func TestTransfer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ours, peer := pair(t, network)
		want := bytes.Repeat([]byte("moonphase "), 1<<20)
		var wg sync.WaitGroup
		send := func(c net.Conn) {
			defer wg.Done()
			if n, err := c.Write(want); n != len(want) || err != nil {
				t.Errorf("%s: Write is %d, %v", network, n, err)
			}
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Errorf("%s: CloseWrite: %v", network, err)
			}
		}
		read := func(c net.Conn) {
			defer wg.Done()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes came, %v", network, len(got), err)
			}
		}
		wg.Add(4)
		go send(ours)
		go send(peer)
		go read(ours)
		go read(peer)
		wg.Wait()
	}
}

// TestErrors: what callers tell errors by is as package net has it.
func TestErrors(t *testing.T) {
	ours, peer := pair(t, "tcp")
	_ = ours.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := ours.Read(make([]byte, 1))
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("a read past its deadline gives %v", err)
	}
	_ = ours.SetDeadline(time.Time{})
	if n, err := ours.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing gives %d, %v", n, err)
	}

	waits := make(chan error)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		waits <- err
	}()
	ours.Close()
	if err := <-waits; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read that is cut off gives %v", err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close gives %v", err)
	}
	peer.Close()

	ours, peer = pair(t, "tcp")
	_ = peer.(*net.TCPConn).SetLinger(0)
	peer.Close()
	_, err = ours.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("a reset gives %v", err)
	}
}

// TestPartialWrite: a write that runs into its deadline says how much went out.
func TestPartialWrite(t *testing.T) {
	ours, peer := pair(t, "tcp")
	_ = ours.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := ours.Write(make([]byte, 64<<20))
	if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Write is %d, %v", n, err)
	}
	ours.Close()
	if got, err := io.Copy(io.Discard, peer); got != int64(n) || err != nil {
		t.Errorf("%d bytes of %d came, %v", got, n, err)
	}
}

func TestPeek(t *testing.T) {
	ours, peer := pair(t, "tcp")
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	peek := func() (n int, errno syscall.Errno) {
		_ = raw.Control(func(fd uintptr) { n, errno = Peek(fd) })
		return n, errno
	}
	if n, errno := peek(); n != 0 || errno != syscall.EAGAIN {
		t.Errorf("on a quiet connection Peek is %d, %v", n, errno)
	}
	wait := func() {
		_ = raw.Read(func(fd uintptr) bool { _, errno := Peek(fd); return errno != syscall.EAGAIN })
	}
	if _, err := peer.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	wait()
	if n, errno := peek(); n != 1 || errno != 0 {
		t.Errorf("Peek is %d, %v", n, errno)
	}
	if got, err := io.ReadAtLeast(ours, make([]byte, 2), 2); got != 2 || err != nil {
		t.Errorf("behind Peek there are %d bytes, %v", got, err)
	}
	peer.Close()
	wait()
	if n, errno := peek(); n != 0 || errno != 0 {
		t.Errorf("at the end Peek is %d, %v", n, errno)
	}
}

// TestOthers: datagrams have borders and no end, so they are left alone.
func TestOthers(t *testing.T) {
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	nc, err := net.Dial("udp", u.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for _, c := range []net.Conn{nc, a} {
		if got := Wrap(c); got != c {
			t.Errorf("%T became %T", c, got)
		}
	}
}

func TestAllocs(t *testing.T) {
	ours, peer := pair(t, "tcp")
	p := make([]byte, 5)
	got := testing.AllocsPerRun(100, func() {
		if _, err := peer.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := ours.Read(p); err != nil {
			t.Fatal(err)
		}
		if _, err := ours.Write(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, p); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("a round trip allocates %v times", got)
	}
}
