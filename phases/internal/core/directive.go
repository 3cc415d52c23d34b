package core

import (
	"github.com/moonphase/moonphase/phases/conf"
)

// Level is a set of places where a directive may stand.
type Level uint16

const (
	InMain Level = 1 << iota
	InEvents
	InHTTP
	InServer
	InLocation
	InServerIf
	InLocationIf
	InUpstream
	InLimitExcept

	InHTTPSrvLoc = InHTTP | InServer | InLocation
	InAnyLoc     = InHTTPSrvLoc | InLocationIf
	InRewrite    = InServer | InServerIf | InLocation | InLocationIf
)

// Arity is a set of permitted numbers of arguments, or one of the open forms.
type Arity uint32

const (
	Take0 Arity = 1 << iota
	Take1
	Take2
	Take3
	Take4
	Take5
	Take6
	Take7
	TakeFlag  // exactly one, "on" or "off"
	TakeAny   // any number
	TakeMore1 // one or more
	TakeMore2 // two or more
	TakeBlock // ends in a block; combines with the numbers

	Take12   = Take1 | Take2
	Take123  = Take1 | Take2 | Take3
	Take1234 = Take1 | Take2 | Take3 | Take4
)

// accepts reports whether a directive with n arguments has a right number.
func (a Arity) accepts(n int) bool {
	switch {
	case a&TakeAny != 0:
		return true
	case a&TakeFlag != 0:
		return n == 1
	case a&TakeMore1 != 0 && n >= 1, a&TakeMore2 != 0 && n >= 2:
		return true
	}
	return n <= 7 && a&(Take0<<n) != 0
}

// Directive is one row of the directive table: what a name may look like and
// what it does. set returns a DirectiveError for texts that nginx puts behind
// the quoted name.
type Directive struct {
	Name string
	In   Level
	Args Arity
	Set  Setter
}

// Setter does what a directive says.
type Setter func(c *Compiler, d *conf.Directive) error

// DirectiveError is a complaint that is printed as `"name" directive <text>`.
type DirectiveError string

func (e DirectiveError) Error() string { return string(e) }

const (
	ErrDuplicate    = DirectiveError("is duplicate")
	ErrInvalidValue = DirectiveError("invalid value")

	ErrInvalidNumber = DirectiveError("invalid number")
)

// DirectiveIndex makes the directives of the core and of the modules searchable.
// One name can have several rows ("server" in http and in upstream).
func DirectiveIndex(modules []*Module) map[string][]*Directive {
	index := make(map[string][]*Directive, 400)
	add := func(group []Directive) {
		for i := range group {
			index[group[i].Name] = append(index[group[i].Name], &group[i])
		}
	}
	for _, group := range directiveGroups() {
		add(group)
	}
	for _, m := range modules {
		if m.Directives != nil {
			add(m.Directives())
		}
	}
	return index
}

// directiveGroups is the directive table: every name this server knows, where
// it may stand, how many arguments it takes and what it does. Groups follow
// nginx's modules. A name that is missing here is an "unknown directive".
func directiveGroups() [][]Directive {
	return [][]Directive{
		mainDirectives(),
		rightsDirectives(),
		coreDirectives(),
		clientDirectives(),
		gzipDirectives(),
		serverDirectives(),
		acceptedDirectives(),
	}
}
