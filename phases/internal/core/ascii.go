package core

import "github.com/moonphase/moonphase/phases/internal/ngxtext"

// ContainsFold reports whether list has name, in any case.
func ContainsFold(list []string, name string) bool {
	for _, s := range list {
		if ngxtext.EqualFold(s, name) {
			return true
		}
	}
	return false
}
