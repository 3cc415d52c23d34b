package phases

import (
	"errors"
	"fmt"

	"github.com/moonphase/moonphase/phases/regex"
)

// confRegex is a regular expression of the configuration. A match sets the
// request's captures and the variables of its named groups.
type confRegex struct {
	re    *regex.Regexp
	names []namedGroup
}

// namedGroup is a group whose text becomes the value of a variable.
type namedGroup struct {
	group int
	index int
}

// regex compiles a pattern of the configuration; its named groups become
// variables.
func (c *compiler) regex(pattern string, ignoreCase bool) (*confRegex, error) {
	var flags regex.Flags
	if ignoreCase {
		flags |= regex.Caseless
	}
	re, err := regex.Compile(pattern, flags)
	if err != nil {
		return nil, regexError(pattern, err)
	}
	cr := &confRegex{re: re}
	for _, n := range re.Names() {
		v, err := c.defineVar(n.Name)
		if err != nil {
			return nil, err
		}
		cr.names = append(cr.names, namedGroup{group: n.Group, index: v.index})
	}
	return cr, nil
}

// regexError words a bad pattern as nginx does with PCRE 1 and 2.
func regexError(pattern string, err error) error {
	var re *regex.Error
	if !errors.As(err, &re) {
		return err
	}
	if re.At >= len(pattern) {
		return fmt.Errorf("pcre2_compile() failed: %s in \"%s\"", re.Msg, pattern)
	}
	return fmt.Errorf("pcre2_compile() failed: %s in \"%s\" at \"%s\"", re.Msg, pattern, pattern[re.At:])
}

// exec matches s and on success stores what the groups took.
func (re *confRegex) exec(r *Request, s string) bool {
	r.regexInput.Reset(s)
	ov, err := re.re.Match(&r.regexInput, 0, r.regexPlaces)
	if err != nil {
		r.Logf(LogAlert, "%v on \"%s\"", err, s)
		return false
	}
	if ov == nil {
		return false
	}
	r.regexPlaces = ov
	r.Captures = r.Captures[:0]
	for i := 0; i+1 < len(ov); i += 2 {
		text := ""
		if ov[i] >= 0 {
			text = s[ov[i]:ov[i+1]]
		}
		r.Captures = append(r.Captures, text)
	}
	for _, g := range re.names {
		r.vars[g.index] = varSlot{value: r.Captures[g.group], set: true, none: ov[2*g.group] < 0}
	}
	return true
}
