package phases

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// headersMoreModule is ngx_http_headers_more_filter_module, of OpenResty.
var headersMoreModule = &Module{
	name:       "headers_more_filter",
	directives: moreDirectives,
	conf:       []confSlot{moreLoc},
	build: func(b *builder, l *Location) {
		m := moreLoc.of(l)
		if m.output != nil {
			b.filterHeader(moreOutput)
		}
		if m.input != nil {
			b.handleLast(stepRewrite, moreInput)
		}
	},
}

var moreLoc = newLocSlot(mergeMore)

// moreConf is what the directives say, in the order in which they are done.
type moreConf struct {
	output []moreHeader
	input  []moreHeader
}

// mergeMore puts outer levels' directives before inner ones.
func mergeMore(m, outer *moreConf, _ bool) {
	if outer.output != nil {
		m.output = slices.Concat(outer.output, m.output)
	}
	if outer.input != nil {
		m.input = slices.Concat(outer.input, m.input)
	}
}

func moreDirectives() []directive {
	return []directive{
		{"more_set_headers", inAnyLoc, takeMore1, setMoreHeaders},
		{"more_clear_headers", inAnyLoc, takeMore1, setMoreHeaders},
		{"more_set_input_headers", inAnyLoc, takeMore1, setMoreHeaders},
		{"more_clear_input_headers", inAnyLoc, takeMore1, setMoreHeaders},
	}
}

// moreHeader is one header of a headers-more directive, with its conditions.
type moreHeader struct {
	name     string
	value    template
	clear    bool
	prefix   bool     // clear all headers that begin with name
	statuses []int    // -s: only for these statuses
	types    []string // -t: only for these content types, to the letter
	restrict bool     // -r: only when the header is there already (input)
}

// setMoreHeaders reads more_set_headers, more_clear_headers and their _input_
// forms.
func setMoreHeaders(c *compiler, d *conf.Directive) error {
	clearing := strings.Contains(d.Name, "clear")
	input := strings.Contains(d.Name, "input")
	var list []moreHeader
	var common moreHeader
	for i := 0; i < len(d.Args); i++ {
		arg := d.Args[i]
		switch {
		case arg == "-s" && i+1 < len(d.Args) && !input:
			i++
			for _, word := range strings.Fields(d.Args[i]) {
				n, ok := parseDecimal(word)
				if !ok {
					return directiveError("invalid status \"" + word + "\"")
				}
				common.statuses = append(common.statuses, int(n))
			}
		case arg == "-t" && i+1 < len(d.Args):
			i++
			common.types = append(common.types, strings.Fields(d.Args[i])...)
		case arg == "-r" && input:
			common.restrict = true
		default:
			h, err := readMoreHeader(c, arg, clearing)
			if err != nil {
				return err
			}
			list = append(list, h)
		}
	}
	for i := range list {
		list[i].statuses, list[i].types, list[i].restrict = common.statuses, common.types, common.restrict
	}
	m := moreLoc.at(c)
	if input {
		m.input = append(m.input, list...)
	} else {
		m.output = append(m.output, list...)
	}
	return nil
}

// readMoreHeader reads "Name: value"; a name without a value clears the header.
func readMoreHeader(c *compiler, arg string, clearing bool) (h moreHeader, err error) {
	name, value, found := strings.Cut(arg, ":")
	h.name = strings.TrimSpace(name)
	value = strings.TrimSpace(value)
	h.clear = clearing || !found || value == ""
	if h.clear && strings.HasSuffix(h.name, "*") {
		h.name, h.prefix = strings.TrimSuffix(h.name, "*"), true
	}
	if !h.clear {
		h.value, err = c.template(value)
	}
	return h, err
}

// applies tells whether the conditions of a header hold.
func (h *moreHeader) applies(status int, contentType string) bool {
	if h.statuses != nil && !slices.Contains(h.statuses, status) {
		return false
	}
	if h.types == nil {
		return true
	}
	return slices.Contains(h.types, contentType)
}

// moreOutput changes the headers of the answer
// (ngx_http_headers_more_filter).
func moreOutput(r *Request) int {
	status := r.finalStatus()
	contentType, _, _ := strings.Cut(r.Out.ContentType, ";")
	list := moreLoc.of(r.Loc).output
	for i := range list {
		h := &list[i]
		switch {
		case !h.applies(status, contentType):
		case h.prefix:
			delOutPrefix(&r.Out, h.name)
		case h.clear:
			r.Out.Del(h.name)
		default:
			if value := h.value.eval(r); value != "" {
				r.Out.Set(h.name, value)
			} else {
				r.Out.Del(h.name)
			}
		}
	}
	return rcOK
}

// moreInput changes request headers at the end of the rewrite phase
// (ngx_http_headers_more_handler).
func moreInput(r *Request) int {
	if r.URIChanged {
		return rcDeclined
	}
	contentType, _ := r.In.Get("Content-Type")
	list := moreLoc.of(r.Loc).input
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
			r.In.Set(h.name, h.value.eval(r))
		}
		if equalFold(h.name, "Host") {
			r.Host, _ = r.In.Get("Host")
		}
	}
	return rcDeclined
}

// delOutPrefix removes the headers in the list whose names begin with prefix.
func delOutPrefix(o *Response, prefix string) {
	dated := o.Headers.Has("Last-Modified")
	delPrefix(&o.Headers, prefix)
	if dated && !o.Headers.Has("Last-Modified") {
		o.LastModified = -1
	}
}

// delPrefix removes the lines whose names begin with prefix.
func delPrefix(h *Headers, prefix string) {
	list := *h
	keep := list[:0]
	for i := range list {
		if len(list[i].Name) < len(prefix) || !equalFold(list[i].Name[:len(prefix)], prefix) {
			keep = append(keep, list[i])
		}
	}
	clear(list[len(keep):])
	*h = keep
}
