//go:build !linux

package core

import (
	"errors"
	"os"
)

const (
	canGuardSymlinks = false
	lookFlags        = 0
)

func openGuarded(string, int, symlinkMode, int) (*os.File, error) { return nil, errors.ErrUnsupported }
