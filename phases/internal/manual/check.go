// Package manual knows the directives, variables and API functions of this server for the people who
// use them: it judges whole configurations, and writes the reference.
package manual

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// Kind is what is wrong with a directive.
type Kind int

const (
	Wrong   Kind = iota // nginx says the same
	Absent              // nginx or one of its modules has the directive, this server does not
	NoSuch              // nobody has it
	Include             // a file that is included cannot be read
)

// Complaint is about one directive of a configuration.
type Complaint struct {
	Kind Kind
	At   *conf.Directive // nil where reading stopped
	Err  *conf.Error     // what nginx says
	Text string          // what else there is to say, "" for nothing
	Help string          // what can be done; "" when that is plain
}

// Check gives every directive its meaning, as the server will at start, and goes on behind one that is
// wrong. The error is that of a configuration whose directives are right one by one.
func Check(tree *conf.Tree, opts core.CompileOptions) (found []Complaint, err error) {
	opts.Modules = modules.All()
	index := core.DirectiveIndex(opts.Modules)
	builtin, once := map[string]bool{}, map[string]bool{} // the first of many fastcgi_param is enough
	for _, f := range tree.Files {
		builtin[f.Name] = f.Builtin
	}
	opts.Complain = func(d *conf.Directive, in core.Level, err error) {
		var ce *conf.Error
		if !errors.As(err, &ce) {
			ce = d.Errorf("%s", err)
		}
		c := Complaint{At: d, Err: ce}
		if builtin[d.File] {
			if once[d.Name] {
				return
			}
			once[d.Name] = true
		}
		switch {
		case d.Err != nil && ce.Outside:
			c.Kind = Include
			c.Help = "--map FROM=TO says where the files of the machine are that the configuration is for"
		case d.Err != nil:
			c.At = nil
		case strings.HasPrefix(ce.Msg, "unknown directive "):
			c.unknown(index, in)
		case strings.HasSuffix(ce.Msg, "directive is not allowed here"):
			c.Help = fmt.Sprintf("\"%s\" stands in %s", d.Name, anyOf(index[d.Name]))
		}
		found = append(found, c)
	}
	_, err = core.Compile(tree.Directives, opts)
	if errors.Is(err, core.ErrIncomplete) {
		err = nil
	}
	return found, err
}

// unknown says of a directive that this server does not have whether nginx has it.
func (c *Complaint) unknown(index map[string][]*core.Directive, in core.Level) {
	name := c.At.Name
	say := func(kind Kind, format string, args ...any) {
		c.Kind = kind
		c.Text = fmt.Sprintf(format, args...)
	}
	if since, until := compat.Since(name); index[name] != nil && known.Gone[name] == "" {
		say(Wrong, "%s has it, and this configuration is for another release (compat, %s)",
			cmp.Or(since, "what was before "+until), compat.Env)
		return
	}
	if instead, ok := known.Gone[name]; ok {
		say(NoSuch, "nginx has this no longer, use %s", instead)
		return
	}
	if having := known.Find(name); having != nil {
		say(Absent, "%s", whoHas(having))
		if c.At.HasBlock && in == core.InMain {
			c.Help = fmt.Sprintf("--ignore %s leaves this block out and serves the rest", name)
		}
		return
	}
	near, levels := nearest(index, name, in)
	switch {
	case near == "":
		say(NoSuch, "no such directive")
	case levels == 0:
		say(NoSuch, "no such directive, did you mean \"%s\", which moonphase does not have?", near)
	case levels&in == 0:
		say(NoSuch, "no such directive, did you mean \"%s\", which stands in %s?", near, anyOf(index[near]))
	default:
		say(NoSuch, "no such directive, did you mean \"%s\"?", near)
	}
}

// whoHas words that moonphase does not have what these modules have.
func whoHas(list []known.Module) string {
	later := list[0].Later
	text := "nginx has this"
	var names []string
	for _, m := range list {
		if m.Kind == list[0].Kind {
			names = append(names, m.Name)
		}
	}
	switch list[0].Kind {
	case known.Standard:
		text += " (" + names[0] + ")"
	case known.Addon:
		text += " with the module " + strings.Join(names, " or ")
	case known.Plus:
		text += " only in its commercial version (" + names[0] + ")"
		later = false
	}
	text += ", moonphase does not"
	if later {
		text += ": it comes later"
	}
	return text
}

// CheckModule says what is wrong with a load_module: that its directives are not here; "" when nothing
// is. Those in ignored are not missed.
func CheckModule(file string, ignored []string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	m, ok := known.ByFile(base)
	if !ok {
		short := strings.TrimSuffix(strings.TrimPrefix(base, "ngx_http_"), "_module.so")
		for _, have := range modules.All() {
			if have.Name == short {
				return ""
			}
		}
		return fmt.Sprintf("moonphase does not know the module \"%s\": its directives are unknown", base)
	}
	index := core.DirectiveIndex(modules.All())
	for _, name := range m.Directives {
		if index[name] == nil && m.Later && !slices.Contains(ignored, name) {
			return fmt.Sprintf("moonphase does not have the module \"%s\" (%s): its directives are unknown", base, m.Name)
		}
	}
	return ""
}
