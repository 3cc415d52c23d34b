// Package lib makes Lua tables of Go functions.
package lib
