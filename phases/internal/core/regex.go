package core

import (
	"errors"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/regex"
)

// Regex is a regular expression of the configuration. A match sets the
// request's captures and the variables of its named groups.
type Regex struct {
	re    *regex.Regexp
	Text  string // the pattern
	names []namedGroup
}

// namedGroup is a group whose text becomes the value of a variable.
type namedGroup struct {
	group int
	index int
}

// confMatchLimit bounds a match of a configuration's regex, in steps; 0 is the
// engine's own bound. Tests lower it.
var confMatchLimit int

// Pattern compiles a pattern of the configuration for those who only ask whether it
// matches: its groups have no use (ngx_regex_compile).
func Pattern(pattern string, ignoreCase bool) (*Regex, error) {
	flags := regex.PCRE2
	if ignoreCase {
		flags |= regex.Caseless
	}
	re, err := regex.Compile(pattern, flags)
	if err != nil {
		return nil, regexError(pattern, err)
	}
	re.SetMatchLimit(confMatchLimit)
	return &Regex{re: re, Text: pattern}, nil
}

// Names are the named groups of the pattern.
func (re *Regex) Names() []regex.Name { return re.re.Names() }

// Regex compiles a pattern of the configuration; its named groups become
// variables (ngx_http_regex_compile).
func (c *Compiler) Regex(pattern string, ignoreCase bool) (*Regex, error) {
	cr, err := Pattern(pattern, ignoreCase)
	if err != nil {
		return nil, err
	}
	for _, n := range cr.re.Names() {
		v, err := c.DefineVar(n.Name)
		if err != nil {
			return nil, err
		}
		v.Get = NoValue
		cr.names = append(cr.names, namedGroup{group: n.Group, index: v.Index})
	}
	return cr, nil
}

// regexError words a bad pattern as nginx does, which uses PCRE 2.
func regexError(pattern string, err error) error {
	var re *regex.Error
	if !errors.As(err, &re) {
		return err
	}
	return errors.New(re.Text(pattern, regex.PCRE2))
}

// Exec matches s and on success stores what the groups took. It answers OK,
// Declined when s does not match, and Error when that could not be found out:
// the engine gave up (ngx_http_regex_exec). Who asks must not take that for a no.
func (re *Regex) Exec(r *Request, s string) int {
	ov, rc := re.match(r, s)
	if rc != OK {
		return rc
	}
	r.regexPlaces = ov
	r.Captures = r.Captures[:0]
	last := len(ov)
	for last > 2 && ov[last-2] < 0 {
		last -= 2
	}
	for i := 0; i < last; i += 2 {
		text := ""
		if ov[i] >= 0 {
			text = s[ov[i]:ov[i+1]]
		}
		r.Captures = append(r.Captures, text)
	}
	if len(r.Vars) == 0 { // r stands in for a request that has not been read
		return OK
	}
	for _, g := range re.names {
		r.Vars[g.index] = VarSlot{value: r.capture(g.group), set: true}
	}
	return OK
}

// Test is Exec for a place that has no use for captures.
func (re *Regex) Test(r *Request, s string) int {
	_, rc := re.match(r, s)
	return rc
}

// match finds where the groups are; an error has been logged.
func (re *Regex) match(r *Request, s string) (places []int, rc int) {
	r.regexInput.Reset(s)
	ov, err := re.re.Match(&r.regexInput, 0, r.regexPlaces)
	if err != nil {
		doing := ""
		if r.Loc == nil { // looking for the server
			doing = " while reading client request headers"
		}
		r.Logf(errlog.Alert, "pcre2_match() failed: %d on \"%s\" using \"%s\"%s", pcre2Code(err), s, re.Text, doing)
		return nil, Error
	}
	if ov == nil {
		return nil, Declined
	}
	return ov, OK
}

// pcre2Code is the number PCRE 2 gives an error of a match.
func pcre2Code(err error) int {
	var me *regex.MatchError
	if errors.As(err, &me) {
		return me.Code
	}
	return regex.Err2MatchLimit
}

// Matches is Exec for a place that has no use for captures.
func (re *Regex) Matches(r *Request, s string) bool {
	r.regexInput.Reset(s)
	ov, err := re.re.Match(&r.regexInput, 0, r.regexPlaces)
	return err == nil && ov != nil
}
