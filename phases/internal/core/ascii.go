package core

import "github.com/moonphase/moonphase/phases/internal/ngxtext"

func ContainsFold(list []string, name string) bool {
	for _, s := range list {
		if ngxtext.EqualFold(s, name) {
			return true
		}
	}
	return false
}
