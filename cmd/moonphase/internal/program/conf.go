package program

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases"
	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/transpile"
)

// checkConf finds everything that is wrong with the configuration, as the server will at start. What
// depends on the machine that will serve (certificates, names of hosts) is no mistake here.
func (p *Program) checkConf(tree *conf.Tree, path string) {
	find := func(e *conf.Error, code transpile.Code, severity transpile.Severity) *transpile.Diagnostic {
		p.Findings = append(p.Findings, confFinding(e, code, severity))
		return &p.Findings[len(p.Findings)-1]
	}
	for _, note := range tree.Notes {
		find(note, transpile.CodeBuiltin, transpile.Note)
	}
	for _, d := range tree.Without(p.opt.Ignore) {
		find(d.Errorf("the block \"%s\" is left out: --ignore %s", d.Name, d.Name), transpile.CodeLeftOut, transpile.Note)
	}
	for _, d := range tree.Directives {
		if d.Name == "load_module" && len(d.Args) == 1 {
			if msg := phases.CheckModule(d.Args[0], p.opt.Ignore); msg != "" {
				find(d.Errorf("%s", msg), transpile.CodeUnknownModule, transpile.Warning)
			}
		}
	}
	complaints, err := phases.Check(tree, phases.CompileOptions{
		Prefix: p.opt.Prefix, ConfPath: path, Map: p.opt.Map,
		Outside: func(e *conf.Error) { find(outside(e, path), transpile.CodeOutside, transpile.Warning) },
	})
	var last *conf.Error
	if errors.As(err, &last) {
		complaints = append(complaints, phases.Complaint{Err: last})
	}
	var refusal *conf.Error
	for _, c := range complaints {
		p.told[c.Err] = true
		if strings.HasPrefix(c.Err.Msg, "host not found") {
			find(outside(c.Err, path), transpile.CodeOutside, transpile.Warning)
			continue
		}
		e := placed(c.Err, tree, path)
		refusal = cmp.Or(refusal, e)
		d := find(e, complaintCodes[c.Kind], transpile.Error)
		d.Help = c.Help
		if c.Text != "" {
			d.Msg += ": " + c.Text
		}
		if c.At != nil && c.Kind != phases.WrongDirective {
			c.At.Block = nil // what is in a block that nobody knows is no Lua of this server
		}
	}
	if refusal != nil {
		p.Refusal = fmt.Errorf("[emerg] %w", refusal)
	} else if err != nil && last == nil {
		p.Refusal = err
	}
}

// Refuses tells whether d is the finding about what Refusal says.
func (p *Program) Refuses(d transpile.Diagnostic) bool {
	var e *conf.Error
	return errors.As(p.Refusal, &e) && d.Msg == e.Msg && d.File == e.File && d.Line == e.Line
}

// complaintCodes are the codes of findings about directives.
var complaintCodes = map[phases.ComplaintKind]transpile.Code{
	phases.WrongDirective: transpile.CodeConf, phases.AbsentDirective: transpile.CodeAbsent,
	phases.NoSuchDirective: transpile.CodeNoDirective, phases.BadInclude: transpile.CodeInclude,
}

// outside gives a complaint about this machine a file.
func outside(e *conf.Error, path string) *conf.Error {
	e.File = cmp.Or(e.File, path)
	return e
}

// placed gives an error of the whole configuration a place, where nginx names none.
func placed(e *conf.Error, tree *conf.Tree, path string) *conf.Error {
	if e.Line != 0 {
		return e
	}
	if d := mentions(tree.Directives, e.Msg); d != nil {
		return d.Errorf("%s", e.Msg)
	}
	if strings.Contains(e.Msg, path) {
		return e
	}
	return &conf.Error{Msg: e.Msg + " in " + path, Level: e.Level}
}

var unknownVariable = regexp.MustCompile(`^unknown "(\w+)" variable$`)

// mentions finds the directive that a message about an unknown variable is about, nil
// for other messages.
func mentions(list []*conf.Directive, msg string) *conf.Directive {
	m := unknownVariable.FindStringSubmatch(msg)
	if m == nil {
		return nil
	}
	use := regexp.MustCompile(`\$(` + m[1] + `\b|\{` + m[1] + `\})`)
	for _, d := range list {
		if slices.ContainsFunc(d.Args, use.MatchString) {
			return d
		}
		if d := mentions(d.Block, msg); d != nil {
			return d
		}
	}
	return nil
}

// ConfFinding turns an error of the configuration into a finding.
func ConfFinding(err error) transpile.Diagnostic {
	return confFinding(err, transpile.CodeConf, transpile.Error)
}

func confFinding(err error, code transpile.Code, severity transpile.Severity) transpile.Diagnostic {
	d := transpile.Diagnostic{Code: code, Severity: severity, Msg: err.Error()}
	var e *conf.Error
	if errors.As(err, &e) {
		d.File, d.Line, d.Msg = e.File, e.Line, e.Msg
	}
	return d
}
