// Package golden holds the golden tests of moonphase: Lua in, Go out, behaviour
// out. See README.md for the format of a case.
package golden
