package lua

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// unsafeByte finds a byte that has no place in a URI: a control character other
// than the tab.
func unsafeByte(s string) (byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return s[i], true
		}
	}
	return 0, false
}

// escapeUnsafe shows what is not printable ASCII as \xHH, for log lines and messages.
func escapeUnsafe(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7F || s[i] == '"' || s[i] == '\\' {
			fmt.Fprintf(&b, "\\x%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func ngxEscapeURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := lib.TextOrEmpty(th, rt.ArgAt(args, 0))
	kind := escapeTypeComponent
	if v := rt.ArgAt(args, 1); !v.IsNil() {
		if !v.IsNumber() {
			lib.RaiseAt(th, 2, "\"type\" is not a number")
		}
		if !(v.Num() >= 0 && v.Num() <= 6) {
			lib.RaiseAt(th, 2, "\"type\" "+rt.NumberString(v.Num())+" out of range")
		}
		kind = int(v.Num())
	}
	return rt.String(ngxtext.EscapeByType(s, kind)), 1
}

const escapeTypeComponent = 2

// ngxSetURI is ngx.req.set_uri(uri, jump, binary).
func ngxSetURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if n := len(args); n < 1 || n > 3 {
		th.Errorf("expecting 1, 2 or 3 arguments but seen %d", n)
	}
	r := requestOf(th)
	uri := th.CheckString(args, 0)
	if uri == "" {
		th.Errorf("attempt to use zero-length uri")
	}
	jump := lib.OptBool(th, args, 1)
	binary := lib.OptBool(th, args, 2)
	if jump {
		gate(th, caller.Jump, caller.NoRequest)
	}
	if !binary {
		if c, bad := unsafeByte(uri); bad {
			th.Errorf("unsafe byte \"0x%02x\" in uri \"%s\" (maybe you want to set the 'binary' argument?)", c, escapeUnsafe(uri))
		}
	}
	if jump {
		checkPending(th, 0)
	}
	r.URI = uri
	r.ValidUnparsedURI = false
	r.Internal = true
	if !jump {
		r.ValidLocation, r.URIChanged = false, false
		return rt.Nil, 0
	}
	r.URIChanged = true
	r.Logf(errlog.Debug, "lua set uri jump to \"%s\"", uri)
	panic(jumpAbort{})
}
