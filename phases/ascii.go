package phases

import (
	"strconv"
	"strings"
	"time"
)

// lowerString is s in lower case, s itself when it is so already.
func lowerString(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// equalFold compares ASCII names without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if equalFold(s, name) {
			return true
		}
	}
	return false
}

func hexDigit(c byte) int {
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

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func threeDigits(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 3 {
		s = "000"[:3-len(s)] + s
	}
	return s
}

// milliseconds renders a duration as seconds with three decimals.
func milliseconds(d time.Duration) string {
	ms := max(d.Milliseconds(), 0)
	return strconv.FormatInt(ms/1000, 10) + "." + threeDigits(int(ms%1000))
}
