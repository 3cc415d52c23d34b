package lua

import (
	"math"

	rt "github.com/moonphase/moonphase/runtime"
)

// methodNames are the methods behind the bits of ngx.HTTP_GET and so on, from
// bit 1 up.
var methodNames = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE",
	"OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "TRACE"}

// methodName is the name of a method constant.
func methodName(id float64) (string, bool) {
	for i, name := range methodNames {
		if id == float64(int(2)<<i) {
			return name, true
		}
	}
	return "", false
}

func ngxSetMethod(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	r := requestOf(th)
	id := rt.ArgAt(args, 0)
	if !id.IsNumber() {
		th.Errorf("bad method number")
	}
	name, ok := methodName(math.Trunc(id.Num()))
	if !ok {
		th.Errorf("unsupported HTTP method: %s", rt.NumberString(id.Num()))
	}
	r.Method = name
	if !r.HeadersSent {
		r.HeaderOnly = name == "HEAD"
	}
	return rt.Nil, 0
}
