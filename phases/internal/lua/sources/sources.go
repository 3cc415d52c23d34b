package sources

import "sync"

// Checker compares the Lua in the binary with the files it was made from: nginx would
// run those. They are looked at when a configuration is read (start, -t, HUP), when a
// worker loads a file or a module for the first time, and never after that.
type Checker struct {
	Built   string // prefix of the build
	Modules []string
	Sealed  bool

	mu   sync.Mutex
	good map[string]fileState // files that are what the binary has, by path
}
