package runtime

// maxString is the longest string in bytes; LuaJIT's LJ_MAX_STR. What would become longer is an
// error before its memory is asked for: Go does not survive being out of memory.
const maxString = 0x7fffff00

// stringLimit is maxString; tests lower it.
var stringLimit = maxString

// noMemory raises the error of a library that would make too long a string.
func (th *Thread) noMemory() { th.Throw(String("not enough memory")) }

// checkLength raises the error when n bytes are too many for a string.
func (th *Thread) checkLength(n int) {
	if n > stringLimit {
		th.noMemory()
	}
}

// tooLong is the message of a concatenation.
const tooLong = "string length overflow"
