package regex

import "strings"

// group parses what starts with the '(' at p.i.
func (p *parser) group() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errAt(p.i, "parentheses are too deeply nested")
	}
	defer func() { p.depth-- }()
	start := p.i
	p.i++
	if p.i < len(p.s) && p.s[p.i] == '*' {
		return p.verb()
	}
	if p.i >= len(p.s) || p.s[p.i] != '?' {
		return p.capture("")
	}
	p.i++
	if p.i >= len(p.s) {
		return nil, p.badOption()
	}
	switch c := p.s[p.i]; c {
	case '#':
		end := strings.IndexByte(p.s[p.i:], ')')
		if end < 0 {
			return nil, p.errAt(len(p.s), "missing ) after comment")
		}
		p.i += end + 1
		return nil, nil
	case ':':
		p.i++
		return p.body(&node{op: opCat})
	case '>':
		p.i++
		return p.body(&node{op: opAtomic})
	case '=', '!':
		p.i++
		return p.body(&node{op: opLook, neg: c == '!'})
	case '|':
		p.i++
		return p.branchReset()
	case '<':
		if p.i+1 < len(p.s) && (p.s[p.i+1] == '=' || p.s[p.i+1] == '!') {
			p.i += 2
			return p.lookbehind(start, p.s[p.i-1] == '!')
		}
		p.i++
		if p.i >= len(p.s) || !isWordByte(p.s[p.i]) {
			return nil, p.either(p.i, "unrecognized character after (?<", p.i, missingName)
		}
		return p.named('>')
	case '\'':
		p.i++
		return p.named('\'')
	case 'P':
		return p.pythonGroup()
	case '(':
		return p.conditional(start)
	case 'R', '&', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+':
		return p.call()
	case '-':
		if p.i+1 < len(p.s) && p.s[p.i+1] >= '0' && p.s[p.i+1] <= '9' {
			return p.call()
		}
	}
	return p.options()
}

// verb reads (*FAIL) and its like; the other backtracking verbs are not there.
func (p *parser) verb() (*node, error) {
	if p.accept("*FAIL)") || p.accept("*F)") {
		return &node{op: opLook, neg: true, subs: []*node{{op: opEmpty}}}, nil
	}
	for _, v := range []string{"*ACCEPT", "*COMMIT", "*PRUNE", "*SKIP", "*THEN", "*MARK"} {
		if strings.HasPrefix(p.s[p.i:], v) {
			return nil, p.errAt(p.i, "backtracking verb ("+v+") is not supported")
		}
	}
	for p.i++; p.i < len(p.s) && isWordByte(p.s[p.i]); p.i++ {
	}
	return nil, p.errAt(p.i, "(*VERB) not recognized or malformed")
}

// close steps over the ')' that ends a group.
func (p *parser) close() error {
	if p.i >= len(p.s) {
		return p.errAt(p.i, "missing )")
	}
	p.i++
	return nil
}

// body reads the inside of a group into n.
func (p *parser) body(n *node) (*node, error) {
	inner, err := p.alternation()
	if err != nil {
		return nil, err
	}
	n.subs = []*node{inner}
	return n, p.close()
}

// capture reads a capturing group.
func (p *parser) capture(name string) (*node, error) {
	p.ngroups++
	n := &node{op: opGroup, ref: p.ngroups}
	if name != "" {
		p.names = append(p.names, Name{name, n.ref})
	}
	for len(p.groups) <= n.ref {
		p.groups = append(p.groups, nil)
	}
	if _, err := p.body(n); err != nil {
		return nil, err
	}
	p.groups[n.ref] = n.subs[0]
	return n, nil
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// groupName reads a name up to term, of a group that begins or that is meant.
func (p *parser) groupName(term byte, defines bool) (string, error) {
	start := p.i
	if p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		return "", p.errAt(p.i, "group name must start with a non-digit")
	}
	for p.i < len(p.s) && isWordByte(p.s[p.i]) {
		p.i++
	}
	if p.i == start && (p.is2() || p.i >= len(p.s) && !defines) {
		return "", p.errAt(p.i, missingName)
	}
	if p.i >= len(p.s) || p.s[p.i] != term {
		return "", p.errAt(p.i, "syntax error in subpattern name (missing terminator)")
	}
	name := p.s[start:p.i]
	switch {
	case name == "":
		return "", p.errAt(p.i, "subpattern name expected")
	case len(name) > 32:
		return "", p.errAt(p.i, "subpattern name is too long (maximum 32 characters)")
	}
	p.i++
	return name, nil
}

// named reads a named group, after its opening delimiter.
func (p *parser) named(term byte) (*node, error) {
	name, err := p.groupName(term, true)
	if err != nil {
		return nil, err
	}
	if g, ok := p.groupNamed(name); ok && p.flags&DupNames == 0 && g != p.ngroups+1 {
		return nil, p.errIn(p.i-1, p.i, "two named subpatterns have the same name")
	}
	return p.capture(name)
}

// pythonGroup reads (?P<name>...), (?P=name) and (?P>name).
func (p *parser) pythonGroup() (*node, error) {
	p.i++
	switch {
	case p.accept("<"):
		return p.named('>')
	case p.accept("="):
		name, err := p.groupName(')', false)
		if err != nil {
			return nil, err
		}
		return p.reference(&node{op: opBackref, name: name}, p.i-1, p.i-1-len(name)), nil
	case p.accept(">"):
		name, err := p.groupName(')', false)
		if err != nil {
			return nil, err
		}
		return p.reference(&node{op: opCall, name: name}, p.i-1, p.i-1-len(name)), nil
	}
	if p.i >= len(p.s) {
		return nil, p.either(p.i, "unrecognized character after (?P", p.i, "missing )")
	}
	return nil, p.errAt(p.i, "unrecognized character after (?P")
}

// reference notes n for the check at the end of the pattern, with the offset that PCRE
// 1 reports and that of PCRE 2.
func (p *parser) reference(n *node, at, at2 int) *node {
	n.fold = p.flags&Caseless != 0
	p.refs = append(p.refs, reference{n: n, at: at, at2: at2})
	return n
}

// numberedRef notes a back reference by number that ends at p.i.
func (p *parser) numberedRef(n int) *node {
	p.topRef = max(p.topRef, n)
	node := &node{op: opBackref, ref: n, fold: p.flags&Caseless != 0}
	p.refs = append(p.refs, reference{n: node, at2: p.i - 1, numbered: true})
	return node
}

// lookbehind reads (?<=...) and (?<!...); start is where its '(' is.
func (p *parser) lookbehind(start int, neg bool) (*node, error) {
	n, err := p.body(&node{op: opLook, behind: true, neg: neg})
	if err != nil {
		return nil, err
	}
	branches := []*node{n.subs[0]}
	if n.subs[0].op == opAlt {
		branches = n.subs[0].subs
	}
	for _, b := range branches {
		if _, ok := p.fixedLen(b, 0); !ok {
			const msg = "lookbehind assertion is not fixed length"
			if !p.is2() {
				return nil, p.errAt(p.i-1, msg)
			}
			if p.look == nil || start < p.look.At { // PCRE 2 looks when all has been read
				p.look = &Error{Msg: msg, At: start}
			}
		}
	}
	return n, nil
}

// branchReset reads (?|...): every alternative numbers its captures from the same start.
func (p *parser) branchReset() (*node, error) {
	saved, first, most := p.flags, p.ngroups, p.ngroups
	alt := &node{op: opAlt}
	for {
		p.ngroups = first
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		most = max(most, p.ngroups)
		alt.subs = append(alt.subs, n)
		if p.i >= len(p.s) || p.s[p.i] != '|' {
			break
		}
		p.i++
	}
	p.flags, p.ngroups = saved, most
	return &node{op: opCat, subs: []*node{alt}}, p.close()
}

// conditional reads (?(test)yes|no); p.i is at the test's '(', start at the first one.
func (p *parser) conditional(start int) (*node, error) {
	n := &node{op: opCond, subs: []*node{nil, nil, nil}}
	rest, test := p.s[p.i:], p.i
	if strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") || strings.HasPrefix(rest, "(?<") {
		look, err := p.group()
		if err != nil {
			return nil, err
		}
		n.subs[0] = look
	} else if err := p.condRef(n); err != nil {
		return nil, err
	}
	inner, err := p.alternation()
	if err != nil {
		return nil, err
	}
	n.subs[1] = inner
	if inner.op == opAlt {
		if len(inner.subs) > 2 {
			p.late = p.errIn(p.i, start, "conditional group contains more than two branches")
		}
		n.subs[1], n.subs[2] = inner.subs[0], inner.subs[1]
	}
	if n.name == "DEFINE" && n.ref == 0 {
		if n.subs[2] != nil {
			return nil, p.errIn(p.i, test+1, "DEFINE group contains more than one branch")
		}
		n = &node{op: opEmpty}
	}
	return n, p.close()
}

// condRef reads the (1), (<name>), ('name') or (name) of a conditional.
func (p *parser) condRef(n *node) error {
	const malformed, assertionExpected = "malformed number or name after (?(", "assertion expected after (?( or (?(?C)"
	test := p.i
	p.i++
	switch {
	case p.i >= len(p.s):
		return p.either(p.i, assertionExpected, p.i, "missing )")
	case p.s[p.i] == '?':
		return p.errIn(p.i, test, assertionExpected)
	case !p.is2() && (p.s[p.i] == '*' || p.s[p.i] == ')'):
		return p.errAt(p.i, assertionExpected)
	}
	if v, ok := p.number(); ok {
		if p.i >= len(p.s) || p.s[p.i] != ')' {
			return p.either(p.i, malformed, p.i, "missing closing parenthesis for condition")
		}
		p.i++
		n.ref = v
		p.reference(n, p.i, test)
		return nil
	}
	term := byte(')')
	switch {
	case p.accept("<"):
		term = '>'
	case p.accept("'"):
		term = '\''
	}
	nameAt := p.i
	name, err := p.groupName(term, false)
	switch {
	case err == nil:
	case p.is2() || nameAt < len(p.s) && p.s[nameAt] >= '0' && p.s[nameAt] <= '9':
		return err
	case nameAt == len(p.s):
		return p.errAt(p.i, assertionExpected)
	default:
		return p.errAt(p.i, malformed)
	}
	if term != ')' && !p.accept(")") {
		return p.either(p.i, malformed, p.i, "missing closing parenthesis for condition")
	}
	n.name = name
	if name != "DEFINE" {
		p.reference(n, p.i, nameAt)
	}
	return nil
}

// number reads decimal digits.
func (p *parser) number() (int, bool) {
	v, start := 0, p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		v = min(v*10+int(p.s[p.i]-'0'), 1<<20)
		p.i++
	}
	return v, p.i > start
}

// call reads (?R), (?1), (?+1), (?-1) and (?&name).
func (p *parser) call() (*node, error) {
	n := &node{op: opCall}
	switch {
	case p.accept("R"):
	case p.accept("&"):
		name, err := p.groupName(')', false)
		if err != nil {
			return nil, err
		}
		n.name = name
		return p.reference(n, p.i-1, p.i-1-len(name)), nil
	default:
		sign := p.s[p.i]
		if sign == '+' || sign == '-' {
			p.i++
		}
		v, ok := p.number()
		if !ok {
			return nil, p.errIn(p.i, p.i-1, "digit expected after (?+")
		}
		switch sign {
		case '+':
			v += p.ngroups
		case '-':
			v = p.ngroups - v + 1
			if v <= 0 {
				return nil, p.errAt(p.i, noSuchGroup)
			}
		}
		n.ref = v
	}
	if p.i >= len(p.s) || p.s[p.i] != ')' {
		msg2 := "missing )"
		if p.s[p.i-1] == 'R' {
			msg2 = badGroupCall
		}
		return nil, p.either(p.i, "(?R or (?[+-]digits must be followed by )", p.i, msg2)
	}
	p.i++
	return p.reference(n, p.i-1, p.i-1), nil
}

// options reads (?imsxUJ-imsx) or (?i:...).
func (p *parser) options() (*node, error) {
	on, off := Flags(0), Flags(0)
	into := &on
	if p.is2() && p.accept("^") { // all off
		off = Caseless | Multiline | DotAll | Extended
	}
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case 'i':
			*into |= Caseless
		case 'm':
			*into |= Multiline
		case 's':
			*into |= DotAll
		case 'x':
			*into |= Extended
		case 'U':
			*into |= Ungreedy
		case 'J':
			*into |= DupNames
		case '-':
			if into == &off && p.is2() {
				return nil, p.errAt(p.i, "invalid hyphen in option setting")
			}
			into = &off
		case ')':
			p.i++
			p.flags = p.flags&^off | on
			return nil, nil
		case ':':
			p.i++
			saved := p.flags
			p.flags = p.flags&^off | on
			n, err := p.body(&node{op: opCat})
			p.flags = saved
			return n, err
		default:
			return nil, p.badOption()
		}
	}
	return nil, p.badOption()
}

// badOption is the error of what stands at p.i, or of a pattern that ends there.
func (p *parser) badOption() error {
	const msg = "unrecognized character after (? or (?-"
	if p.i >= len(p.s) {
		return p.either(p.i, msg, p.i, "missing )")
	}
	return p.errAt(p.i, msg)
}
