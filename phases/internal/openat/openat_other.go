//go:build !linux

package openat

import (
	"errors"
	"os"
)

const (
	Can  = false
	Look = 0
)

// Open is not to be had here: Can says so.
func Open(string, int, Links, int) (*os.File, error) { return nil, errors.ErrUnsupported }
