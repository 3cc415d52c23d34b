package phases

import rt "github.com/moonphase/moonphase/runtime"

// ngxGetPhase is ngx.get_phase().
func ngxGetPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.String(luaCtx(th).Phase.String()), 1
}

// ngxGetRawPhase is ngx.get_raw_phase(r).
func ngxGetRawPhase(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	return rt.Int(phaseTable[luaCtx(th).Phase].raw), 1
}
