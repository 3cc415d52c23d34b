package core

import "fmt"

// Module is what one nginx module gives the server (ngx_module_t with its
// ngx_http_module_t). All of it is data that the compiler of configurations
// reads once; requests meet only the lists that are made of it.
type Module struct {
	Name       string // nginx's own word: "limit_req"
	Directives func() []Directive
	Variables  func() []Variable
	Families   []Family   // variables whose names go on behind a prefix
	Conf       []ConfSlot // what it keeps for the process, a server, a location

	// Build adds to a location what has something to do there: handlers and
	// filters. It runs for every level, `if` and limit_except blocks included,
	// when its values and those of the levels around it are known.
	Build func(b *Builder, l *Location)
	// Finish checks what only the whole configuration tells (postconfiguration).
	Finish func(c *Compiler) error

	Start func(c *Cycle) error // before the first request: shared memory, Lua states
	Ready func(c *Cycle)       // the workers run (init_process)
	Drain func(c *Cycle)       // no new requests: what is idle is closed; more than once
	Cut   func(c *Cycle)       // ends what requests wait for, whose connections are closed
	Wait  func(c *Cycle)       // waits for what goes on without a request
	Stop  func(c *Cycle)       // the workers end (exit_process)

	Fork   func(parent, sub *Request) // a subrequest begins
	Detach func(main, twin *Request)  // subrequests run beside main, which twin stands in for
	Clear  func(r *Request)           // an internal redirect forgets what the module noted
}

// Handler is a handler of a phase or of the content. It answers with OK,
// Declined, Done, Jump or a status, as nginx's do.
type Handler func(r *Request) int

// HeaderFilter sees the head of a response on its way out. OK lets it go on;
// anything else ends the chain: Done takes the head in, others are what
// SendHeader returns.
type HeaderFilter func(r *Request) int

// BodyFilter sees a piece of the body and passes on what it makes of it, as
// often as it likes.
type BodyFilter func(r *Request, p []byte, flags int, next Next) int

// Next is the place behind a body filter in its location's list.
type Next uint8

// Pass takes a piece to the rest of the filters, and then to the client. Where the
// list is of main requests only, the body of a subrequest goes on as a part of the
// main request's (ngx_http_postpone_filter).
func (n Next) Pass(r *Request, p []byte, flags int) int {
	if n == r.filters().postpone {
		if done, rc := r.ownOutput(p, flags); done {
			return rc
		}
	}
	return n.passMain(r, p, flags)
}

// passMain is Pass for a place that is not postpone's.
func (n Next) passMain(r *Request, p []byte, flags int) int {
	if list := r.filters().bodyFilters; int(n) < len(list) {
		return list[n](r, p, flags, n+1)
	}
	return r.frame(p, flags)
}

// filters is the location whose filters a body goes through: the one whose have seen
// the head, also when the request has moved on since.
func (r *Request) filters() *Location {
	if r.headLoc != nil {
		return r.headLoc
	}
	return r.Loc
}

// rankedHandler is a handler with the place of its module, so that a request
// that a handler moved into an `if` block goes on behind it there.
type rankedHandler struct {
	rank uint8
	run  Handler
}

// stages are the lists that a location's requests go through.
type stages struct {
	phases        [endPhase][]rankedHandler
	headerFilters []HeaderFilter
	bodyFilters   []BodyFilter
	postpone      Next // those before it see subrequests too
	SeesPieces    bool // one of them shows in which pieces the body came
	fileFilter    FileFilter
}

// Builder makes the lists of one location. It asks the modules from the last
// of the list to the first, the order in which nginx calls what they put in.
type Builder struct {
	*Compiler
	loc  *Location
	last stages // of HandleLast
	rank uint8
	err  error
}

// Handle puts a handler into a phase. FindConfigPhase and PostRewritePhase are the
// core's own: nobody would ask a handler there.
func (b *Builder) Handle(p Phase, h Handler) {
	if p == FindConfigPhase || p == PostRewritePhase {
		panic(fmt.Sprintf("core: phase %d runs no handlers", p))
	}
	b.loc.phases[p] = append(b.loc.phases[p], rankedHandler{b.rank, h})
}

// HandleLast puts a handler behind those of all modules, as ngx_lua does.
func (b *Builder) HandleLast(p Phase, h Handler) {
	b.last.phases[p] = append(b.last.phases[p], rankedHandler{b.rank + lastRank, h})
}

// lastRank is above the number of modules.
const lastRank = 128

// FilterHeader puts in a header filter.
func (b *Builder) FilterHeader(f HeaderFilter) {
	b.loc.headerFilters = append(b.loc.headerFilters, f)
}

// FilterBody puts in a body filter. It sees the body of each request, a
// subrequest's before that goes into the main request's.
func (b *Builder) FilterBody(f BodyFilter) {
	b.loc.bodyFilters = append(b.loc.bodyFilters, f)
	b.loc.postpone++
}

// FilterMain puts in a body filter behind postpone: it sees the main request's
// bytes, what subrequests made of it included. Such filters come from modules
// that stand before all those with FilterBody.
func (b *Builder) FilterMain(f BodyFilter) { b.loc.bodyFilters = append(b.loc.bodyFilters, f) }

// Fail ends the compilation with an error of the configuration; the first one counts.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// buildStages asks all modules what they have to do in l.
func (c *Compiler) buildStages(l *Location) error {
	b := Builder{Compiler: c, loc: l}
	l.stages = stages{}
	for i := len(c.modules) - 1; i >= 0; i-- {
		b.rank = uint8(len(c.modules) - i)
		if build := c.modules[i].Build; build != nil {
			build(&b, l)
		}
	}
	for s := range b.last.phases {
		l.phases[s] = append(l.phases[s], b.last.phases[s]...)
	}
	return b.err
}
