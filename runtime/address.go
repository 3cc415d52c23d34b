package runtime

import (
	"fmt"
	"strings"
)

// Address is a pointer that a debug line shows as nginx shows pointers: sixteen
// digits without a prefix. It keeps what it points to alive.
type Address struct{ Pointer any }

// String implements fmt.Stringer.
func (a Address) String() string {
	digits := strings.TrimPrefix(fmt.Sprintf("%p", a.Pointer), "0x")
	return strings.Repeat("0", max(0, 16-len(digits))) + strings.ToUpper(digits)
}
