package main

import "errors"

// chooseTarget returns the server to test: the given nginx, or ours with the chunks
// of all blocks compiled in.
func chooseTarget(server string, blocks []*block) (target, error) {
	if server != "" {
		return oracleTarget(server), nil
	}
	return target{}, errors.New("our own server cannot be built yet; give -server")
}
