package phases

// Response is the head of the answer. What nginx keeps outside its header
// list is kept outside here, as it is written in a fixed order before the
// list.
type Response struct {
	Status        int
	ContentType   string
	Charset       string
	ContentLength int64 // -1: not known
	LastModified  int64 // Unix seconds, -1: none
	Headers       Headers
}
