package lua_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/testserver"
	rt "github.com/moonphase/moonphase/runtime"
)

// TestSessionScripts keeps sessions in a map of its own through the two phases.
func TestSessionScripts(t *testing.T) {
	dir := t.TempDir()
	testserver.Cert(t, dir, "one.test")
	kept := map[string]rt.Value{}
	var calls []string
	call := func(th *rt.Thread, name string, args ...rt.Value) rt.Value {
		v, _ := rt.CallList(th, th.State.Loaded.GetStr("ngx.ssl.session").Table().GetStr(name), "", args)
		return v
	}
	chunk := func(phase, source string, main func(th *rt.Thread)) *rt.Chunk {
		return testserver.Chunk(phase, source, func(th *rt.Thread) {
			calls = append(calls, strings.TrimSpace(source))
			main(th)
		})
	}
	chunks := rt.ChunkSet{
		chunk("ssl_session_store_by_lua", " store ", func(th *rt.Thread) {
			id := call(th, "get_session_id").Str()
			if len(id) != 2*ssl.SessionIDLen {
				t.Errorf("session id %q", id)
			}
			kept[id] = call(th, "get_serialized_session")
		}),
		chunk("ssl_session_fetch_by_lua", " fetch ", func(th *rt.Thread) {
			if call(th, "set_serialized_session", rt.String("no session")).Truthy() {
				t.Error("what is no session is taken for one")
			}
			if session, ok := kept[call(th, "get_session_id").Str()]; ok {
				call(th, "set_serialized_session", session)
			}
		}),
	}
	s := testserver.Start(t, strings.ReplaceAll(`events {} http { access_log off;
		ssl_session_store_by_lua_block { store } ssl_session_fetch_by_lua_block { fetch }
		server { listen ADDR ssl; ssl_session_tickets off; ssl_certificate CERTS/one.test.crt; ssl_certificate_key CERTS/one.test.key;
			location / { return 200 "$ssl_session_reused"; } } }`, "CERTS", dir), chunks...)
	config := &tls.Config{ServerName: "one.test", MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, want := range []string{".", "r", "r"} {
		if got := s.AskTLS(config, "one.test"); got != "200 OK: "+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	clear(kept)
	if got := s.AskTLS(config, "one.test"); got != "200 OK: ." {
		t.Errorf("a session that nobody kept: %s", got)
	}
	config = &tls.Config{ServerName: "one.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 2 {
		if got := s.AskTLS(config, "one.test"); got != "200 OK: ." {
			t.Errorf("TLS 1.3: %s", got)
		}
	}
	if got, want := strings.Join(calls, " "), "store fetch fetch fetch store"; got != want {
		t.Errorf("phases ran %s, want %s", got, want)
	}
}
