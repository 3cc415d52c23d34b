package phases

// Module is what one nginx module gives the server (ngx_module_t with its
// ngx_http_module_t). All of it is data that the compiler of configurations
// reads once; requests meet only the lists that are made of it.
type Module struct {
	name       string // nginx's own word: "limit_req"
	directives func() []directive
	variables  func() []variable
	families   []family   // variables whose names go on behind a prefix
	conf       []confSlot // what it keeps for the process, a server, a location

	// build adds to a location what has something to do there: handlers and
	// filters. It runs for every level, `if` and limit_except blocks included,
	// when its values and those of the levels around it are known.
	build func(b *builder, l *Location)
	// finish checks what only the whole configuration tells (postconfiguration).
	finish func(c *compiler) error

	start func(c *Cycle) error // before the first request: shared memory, Lua states
	ready func(c *Cycle)       // the workers run (init_process)
	drain func(c *Cycle)       // no new requests: what is idle is closed; more than once
	cut   func(c *Cycle)       // ends what requests wait for, whose connections are closed
	wait  func(c *Cycle)       // waits for what goes on without a request
	stop  func(c *Cycle)       // the workers end (exit_process)

	fork  func(parent, sub *Request) // a subrequest begins
	clear func(r *Request)           // an internal redirect forgets what the module noted
}

// handler is a handler of a phase or of the content. It answers with rcOK,
// rcDeclined, rcDone, rcJump or a status, as nginx's do.
type handler func(r *Request) int

// headerFilter sees the head of a response on its way out. rcOK lets it go on;
// anything else ends the chain: rcDone takes the head in, others are what
// SendHeader returns.
type headerFilter func(r *Request) int

// bodyFilter sees a piece of the body and passes on what it makes of it, as
// often as it likes.
type bodyFilter func(r *Request, p []byte, flags int, next filterPlace) int

// filterPlace is the place behind a body filter in its location's list.
type filterPlace uint8

// pass takes a piece to the rest of the filters, and then to the client. Where the
// list is of main requests only, the body of a subrequest goes on as a part of the
// main request's (ngx_http_postpone_filter).
func (n filterPlace) pass(r *Request, p []byte, flags int) int {
	l := r.Loc
	if n == l.postpone {
		if done, rc := r.ownOutput(p, flags); done {
			return rc
		}
	}
	return n.passMain(r, p, flags)
}

// passMain is pass for a place that is not postpone's.
func (n filterPlace) passMain(r *Request, p []byte, flags int) int {
	if list := r.Loc.bodyFilters; int(n) < len(list) {
		return list[n](r, p, flags, n+1)
	}
	return r.frame(p, flags)
}

// rankedHandler is a handler with the place of its module, so that a request
// that a handler moved into an `if` block goes on behind it there.
type rankedHandler struct {
	rank uint8
	run  handler
}

// stages are the lists that a location's requests go through.
type stages struct {
	phases        [stepEnd][]rankedHandler
	headerFilters []headerFilter
	bodyFilters   []bodyFilter
	postpone      filterPlace // those before it see subrequests too
	seesPieces    bool        // one of them shows in which pieces the body came
	fileFilter    fileFilter
}

// builder makes the lists of one location. It asks the modules from the last
// of the list to the first, the order in which nginx calls what they put in.
type builder struct {
	*compiler
	loc  *Location
	last stages // of handleLast
	rank uint8
	err  error
}

// handle puts a handler into a phase.
func (b *builder) handle(s step, h handler) {
	b.loc.phases[s] = append(b.loc.phases[s], rankedHandler{b.rank, h})
}

// handleLast puts a handler behind those of all modules, as ngx_lua does.
func (b *builder) handleLast(s step, h handler) {
	b.last.phases[s] = append(b.last.phases[s], rankedHandler{b.rank + lastRank, h})
}

// lastRank is above the number of modules.
const lastRank = 128

// filterHeader puts in a header filter.
func (b *builder) filterHeader(f headerFilter) {
	b.loc.headerFilters = append(b.loc.headerFilters, f)
}

// filterBody puts in a body filter. It sees the body of each request, a
// subrequest's before that goes into the main request's.
func (b *builder) filterBody(f bodyFilter) {
	b.loc.bodyFilters = append(b.loc.bodyFilters, f)
	b.loc.postpone++
}

// filterMain puts in a body filter behind postpone: it sees the main request's
// bytes, what subrequests made of it included. Such filters come from modules
// that stand before all those with filterBody.
func (b *builder) filterMain(f bodyFilter) { b.loc.bodyFilters = append(b.loc.bodyFilters, f) }

// fail ends the compilation with an error of the configuration; the first one counts.
func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// buildStages asks all modules what they have to do in l.
func (c *compiler) buildStages(l *Location) error {
	b := builder{compiler: c, loc: l}
	l.stages = stages{}
	for i := len(c.modules) - 1; i >= 0; i-- {
		b.rank = uint8(len(c.modules) - i)
		if build := c.modules[i].build; build != nil {
			build(&b, l)
		}
	}
	for s := range b.last.phases {
		l.phases[s] = append(l.phases[s], b.last.phases[s]...)
	}
	return b.err
}
