package ssl

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"testing"
)

// firstRecord is what a client of package tls sends first.
func firstRecord(t testing.TB) []byte {
	a, b := net.Pipe()
	defer b.Close()
	go func() {
		_ = tls.Client(a, &tls.Config{ServerName: "a.test", NextProtos: []string{"h2", "x"}}).Handshake()
		a.Close()
	}()
	buf := make([]byte, 16<<10)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func TestParseClientHello(t *testing.T) {
	record := firstRecord(t)
	h := ParseClientHello(record)
	if h == nil {
		t.Fatal("no hello")
	}
	if !slices.Contains(h.Ciphers, tls.TLS_AES_128_GCM_SHA256) {
		t.Errorf("ciphers are %x", h.Ciphers)
	}
	if name, ok := h.Extension(0); !ok || !bytes.HasSuffix(name, []byte("a.test")) {
		t.Errorf("the name is %q", name)
	}
	if _, ok := h.Extension(0xFFFE); ok {
		t.Error("an extension that nobody sent")
	}
	if len(RandomOf(record)) != RandomLen {
		t.Error("no random")
	}
	for n := range record {
		if got := ParseClientHello(record[:n]); got != nil {
			t.Fatalf("%d of %d bytes make a hello", n, len(record))
		}
	}
}

func TestIsGREASE(t *testing.T) {
	for id, want := range map[uint16]bool{0x0A0A: true, 0xFAFA: true, 0x1301: false, 0x0A1A: false, 0xC02B: false} {
		if IsGREASE(id) != want {
			t.Errorf("%04x: %v", id, !want)
		}
	}
}

// FuzzParseClientHello: no client can make the parser fail.
func FuzzParseClientHello(f *testing.F) {
	f.Add(firstRecord(f))
	f.Fuzz(func(t *testing.T, records []byte) {
		RandomOf(records)
		if h := ParseClientHello(records); h != nil {
			h.Extension(0)
		}
	})
}
