package compat

// Feature is one difference between the releases.
type Feature int

// The names say what the newer releases do.
const (
	JoinedHeaders Feature = iota
)

// features tells since when a stack has each of them: both versions must be reached,
// and most need one. What tightens security is not here: that holds whatever is spoken.
var features = [...]struct {
	nginx, lua Version
	does       string
}{
	JoinedHeaders: {1023000, 0, "$http_NAME, $sent_http_NAME and their kin join the values of a repeated header by a comma"},
}
