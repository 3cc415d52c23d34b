// Package headersmore is ngx_headers_more: more_set_headers and its kin.
package headersmore

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_headers_more_filter_module, of OpenResty.
var Module = &core.Module{
	Name:       "headers_more_filter",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		m := loc.Of(l)
		if m.output != nil {
			b.FilterHeader(output)
		}
		if m.input != nil {
			b.HandleLast(core.RewritePhase, input)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what the directives say, in the order in which they are done.
type config struct {
	output []header
	input  []header
}

// merge puts outer levels' directives before inner ones.
func merge(m, outer *config, _ bool) {
	if outer.output != nil {
		m.output = slices.Concat(outer.output, m.output)
	}
	if outer.input != nil {
		m.input = slices.Concat(outer.input, m.input)
	}
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "more_set_headers", In: core.InAnyLoc, Args: core.TakeMore1, Set: set},
		{Name: "more_clear_headers", In: core.InAnyLoc, Args: core.TakeMore1, Set: set},
		{Name: "more_set_input_headers", In: core.InAnyLoc, Args: core.TakeMore1, Set: set},
		{Name: "more_clear_input_headers", In: core.InAnyLoc, Args: core.TakeMore1, Set: set},
	}
}

// header is one header of a headers-more directive, with its conditions.
type header struct {
	name     string
	value    core.Template
	clear    bool
	prefix   bool     // clear all headers that begin with name
	statuses []int    // -s: only for these statuses
	types    []string // -t: only for these content types, to the letter
	restrict bool     // -r: only when the header is there already (input)
}

// set reads more_set_headers, more_clear_headers and their _input_
// forms.
func set(c *core.Compiler, d *conf.Directive) error {
	clearing := strings.Contains(d.Name, "clear")
	input := strings.Contains(d.Name, "input")
	var list []header
	var common header
	for i := 0; i < len(d.Args); i++ {
		arg := d.Args[i]
		switch {
		case arg == "-s" && i+1 < len(d.Args) && !input:
			i++
			for _, word := range strings.Fields(d.Args[i]) {
				n, ok := ngxtext.ParseDecimal(word)
				if !ok {
					return core.DirectiveError("invalid status \"" + word + "\"")
				}
				common.statuses = append(common.statuses, int(n))
			}
		case arg == "-t" && i+1 < len(d.Args):
			i++
			common.types = append(common.types, strings.Fields(d.Args[i])...)
		case arg == "-r" && input:
			common.restrict = true
		default:
			h, err := readHeader(c, arg, clearing)
			if err != nil {
				return err
			}
			list = append(list, h)
		}
	}
	for i := range list {
		list[i].statuses, list[i].types, list[i].restrict = common.statuses, common.types, common.restrict
	}
	m := loc.At(c)
	if input {
		m.input = append(m.input, list...)
	} else {
		m.output = append(m.output, list...)
	}
	return nil
}

// readHeader reads "Name: value"; a name without a value clears the header.
func readHeader(c *core.Compiler, arg string, clearing bool) (h header, err error) {
	name, value, found := strings.Cut(arg, ":")
	h.name = strings.TrimSpace(name)
	value = strings.TrimSpace(value)
	h.clear = clearing || !found || value == ""
	if h.clear && strings.HasSuffix(h.name, "*") {
		h.name, h.prefix = strings.TrimSuffix(h.name, "*"), true
	}
	if !h.clear {
		h.value, err = c.Template(value)
	}
	return h, err
}

// applies tells whether the conditions of a header hold.
func (h *header) applies(status int, contentType string) bool {
	if h.statuses != nil && !slices.Contains(h.statuses, status) {
		return false
	}
	if h.types == nil {
		return true
	}
	return slices.Contains(h.types, contentType)
}

// output changes the headers of the answer
// (ngx_http_headers_more_filter).
func output(r *core.Request) int {
	status := r.FinalStatus()
	contentType, _, _ := strings.Cut(r.Out.ContentType, ";")
	list := loc.Of(r.Loc).output
	for i := range list {
		h := &list[i]
		switch {
		case !h.applies(status, contentType):
		case h.prefix:
			delOutPrefix(&r.Out, h.name)
		case h.clear:
			r.Out.Del(h.name)
		default:
			if value := h.value.Eval(r); value != "" {
				r.Out.Set(h.name, value)
			} else {
				r.Out.Del(h.name)
			}
		}
	}
	return core.OK
}

// input changes request headers at the end of the rewrite phase
// (ngx_http_headers_more_handler).
func input(r *core.Request) int {
	if r.URIChanged {
		return core.Declined
	}
	contentType, _ := r.In.Get("Content-Type")
	list := loc.Of(r.Loc).input
	for i := range list {
		h := &list[i]
		switch {
		case !h.applies(0, contentType):
		case h.prefix:
			delPrefix(&r.In, h.name)
		case h.clear:
			r.In.Del(h.name)
		case h.restrict && !r.In.Has(h.name):
		default:
			r.In.Set(h.name, h.value.Eval(r))
		}
		if ngxtext.EqualFold(h.name, "Host") {
			r.Host, _ = r.In.Get("Host")
		}
	}
	return core.Declined
}

// delOutPrefix removes the headers in the list whose names begin with prefix.
func delOutPrefix(o *core.Response, prefix string) {
	dated := o.Headers.Has("Last-Modified")
	delPrefix(&o.Headers, prefix)
	if dated && !o.Headers.Has("Last-Modified") {
		o.LastModified = -1
	}
}

// delPrefix removes the lines whose names begin with prefix.
func delPrefix(h *core.Headers, prefix string) {
	list := *h
	keep := list[:0]
	for i := range list {
		if len(list[i].Name) < len(prefix) || !ngxtext.EqualFold(list[i].Name[:len(prefix)], prefix) {
			keep = append(keep, list[i])
		}
	}
	clear(list[len(keep):])
	*h = keep
}
