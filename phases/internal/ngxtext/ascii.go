package ngxtext

import (
	"strconv"
	"strings"
	"time"
)

// Lower is s in lower case, s itself when it is so already.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// EqualFold compares ASCII names without regard to case.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && LowerByte(a[i]) != LowerByte(b[i]) {
			return false
		}
	}
	return true
}

// LowerByte is c in lower case.
func LowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// HexDigit is the value of a hexadecimal digit, -1 for what is none.
func HexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Itoa writes a number in decimal.
func Itoa(n int64) string { return strconv.FormatInt(n, 10) }

// ThreeDigits writes n below 1000 with leading zeros.
func ThreeDigits(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 3 {
		s = "000"[:3-len(s)] + s
	}
	return s
}

// Milliseconds renders a duration as seconds with three decimals.
func Milliseconds(d time.Duration) string {
	ms := max(d.Milliseconds(), 0)
	return strconv.FormatInt(ms/1000, 10) + "." + ThreeDigits(int(ms%1000))
}

// ContainsFold reports whether list has name, in any case.
func ContainsFold(list []string, name string) bool {
	for _, s := range list {
		if EqualFold(s, name) {
			return true
		}
	}
	return false
}
