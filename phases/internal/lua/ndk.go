package lua

import (
	"github.com/moonphase/moonphase/phases/internal/lua/caller"
	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// openNdk makes the ndk table: ndk.set_var calls the functions that set_*
// directives of other modules are made of.
func (api *ngxAPI) openNdk() {
	ndk := rt.NewTable(0, 1)
	set := magic(ndkGet, func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		th.Errorf("not allowed")
		return rt.Nil, 0
	})
	ndk.SetStr("set_var", rt.TableValue(set))
	api.st.Globals.SetStr("ndk", rt.TableValue(ndk))
	api.st.Loaded.SetStr("ndk", rt.TableValue(ndk))
}

// ndkFunctions are the set_* directives that ndk.set_var knows.
var ndkFunctions = map[string]func(s string) string{
	"set_escape_uri":    func(s string) string { return ngxtext.EscapeByType(s, escapeTypeComponent) },
	"set_unescape_uri":  ngxtext.UnescapeArg,
	"set_quote_sql_str": ngxtext.QuoteSQL,
	"set_encode_base64": func(s string) string { return ngxtext.EncodeBase64(s, true) },
	"set_decode_base64": func(s string) string { d, _ := ngxtext.DecodeBase64(s); return d },
}

// ndkGet is ndk.set_var.name.
func ndkGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	args = lib.Padded(args, 2)
	name := lib.TextOrNil(th, args[1])
	f := ndkFunctions[name]
	if f == nil {
		th.Errorf("ndk.set_var: directive \"%s\" not found or does not use ndk_set_var_value", name)
	}
	return rt.NewGoFunction(name, func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if ctxOf(th).Phase == caller.PhaseInit {
			th.Errorf(caller.NoRequest)
		}
		return rt.String(f(lib.TextOrNil(th, rt.ArgAt(args, 0)))), 1
	}), 1
}
