package phases

// RequestBody is the client's request body: not read, read into memory, read
// into a file, or thrown away.
type RequestBody struct {
	Data      []byte // the body, when it is in memory
	File      string // path of the temporary file, when it is there
	Read      bool   // the body has been read (it may be empty)
	Discarded bool
}
