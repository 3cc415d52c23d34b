package phases

// Cycle is one generation of the server: a compiled configuration and the
// workers that run its Lua. HUP makes a new one; requests finish on the one
// they started with.
type Cycle struct {
	Prefix  string
	Workers []*Worker
	Log     Logger // main-level error log
}

// Worker is one Lua world; see the baton of package runtime.
type Worker struct {
	ID    int
	Cycle *Cycle
}

// Server is one server{} block.
type Server struct{}

// Location is the merged configuration of one location: a location{} block,
// an `if` block in one, or the server level itself.
type Location struct{}

// luaRequest is what the Lua handlers of a request share.
type luaRequest struct{}
