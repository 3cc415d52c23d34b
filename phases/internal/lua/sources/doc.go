// Package sources compares the Lua in a binary with the files it was made from.
package sources
