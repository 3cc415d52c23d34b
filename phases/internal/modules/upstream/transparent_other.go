//go:build !linux

package upstream

import "errors"

// setTransparent is not done on this system.
func setTransparent(int, bool) error { return errors.ErrUnsupported }
