// Package lrucache is resty.lrucache in Go.
package lrucache
