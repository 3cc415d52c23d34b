package proxytlv

import "testing"

// one is an extension.
func one(kind byte, value string) string { return string([]byte{kind, 0, byte(len(value))}) + value }

func TestFind(t *testing.T) {
	list := []byte(one(0x01, "h2") + one(0x20, "\x01\x00\x00\x00\x07"+one(0x22, "name")+one(0x21, "TLSv1.3")) + one(0xe0, "\x00x") + one(0x02, "") + "\x05\x00\x09cut")
	for _, c := range []struct {
		name, value string
		ok          bool
		err         string
	}{
		{"alpn", "h2", true, ""}, {"0x01", "h2", true, ""}, {"0x1", "h2", true, ""}, {"authority", "", true, ""}, {"netns", "", false, ""},
		{"0xE0", "\x00x", true, ""}, {"0xe0", "\x00x", true, ""}, {"0xe1", "", false, ""},
		{"ssl_cn", "name", true, ""}, {"ssl_0x22", "name", true, ""}, {"ssl_version", "TLSv1.3", true, ""}, {"ssl_cipher", "", false, ""},
		{"ssl_verify", "7", true, ""}, {"unique_id", "", false, ""},
		{"foo", "", false, `unknown PROXY protocol TLV "foo"`}, {"0xzz", "", false, `invalid PROXY protocol TLV "0xzz"`},
		{"0x100", "", false, `invalid PROXY protocol TLV "0x100"`}, {"ssl_foo", "", false, `unknown PROXY protocol TLV "ssl_foo"`},
	} {
		value, ok, err := Find(list, c.name)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if value != c.value || ok != c.ok || text != c.err {
			t.Errorf("%s: %q, %v, %q", c.name, value, ok, text)
		}
	}
	if v, ok, _ := Find([]byte(one(0x20, "\x01")), "ssl_cn"); ok {
		t.Errorf("a short ssl has %q", v)
	}
}

// FuzzFind: no list ends the process.
func FuzzFind(f *testing.F) {
	f.Add([]byte(one(0x20, "\x01\x00\x00\x00\x07"+one(0x22, "name"))), "ssl_cn")
	f.Fuzz(func(_ *testing.T, list []byte, name string) { _, _, _ = Find(list, name) })
}
