package phases

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

var headersMoreModule = &Module{
	name: "headers_more_filter",
	build: func(b *builder, l *Location) {
		if l.moreHeaders != nil {
			b.filterHeader((*Request).moreHeadersFilter)
		}
		if l.moreInput != nil {
			b.handleLast(stepRewrite, (*Request).runMoreInput)
		}
	},
}

// moreHeader is one header of a headers-more directive, with its conditions.
type moreHeader struct {
	name     string
	value    template
	clear    bool
	prefix   bool     // clear all headers that begin with name
	statuses []int    // -s: only for these statuses
	types    []string // -t: only for these content types
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
			h, err := c.moreHeader(arg, clearing)
			if err != nil {
				return err
			}
			list = append(list, h)
		}
	}
	for i := range list {
		list[i].statuses, list[i].types, list[i].restrict = common.statuses, common.types, common.restrict
	}
	if input {
		c.loc.moreInput = append(c.loc.moreInput, list...)
	} else {
		c.loc.moreHeaders = append(c.loc.moreHeaders, list...)
	}
	return nil
}

// moreHeader reads "Name: value"; a name without a value clears the header.
func (c *compiler) moreHeader(arg string, clearing bool) (h moreHeader, err error) {
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
	if h.statuses != nil {
		found := false
		for _, s := range h.statuses {
			found = found || s == status
		}
		if !found {
			return false
		}
	}
	if h.types == nil {
		return true
	}
	base, _, _ := strings.Cut(contentType, ";")
	for _, t := range h.types {
		if equalFold(strings.TrimSpace(base), t) {
			return true
		}
	}
	return false
}

// moreHeadersFilter is the header filter of headers-more.
func (r *Request) moreHeadersFilter() int {
	status := r.finalStatus()
	for i := range r.Loc.moreHeaders {
		h := &r.Loc.moreHeaders[i]
		switch {
		case !h.applies(status, r.Out.ContentType):
		case h.prefix:
			r.Out.delPrefix(h.name)
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

// runMoreInput changes request headers at the end of the rewrite phase.
func (r *Request) runMoreInput() int {
	if r.URIChanged {
		return rcDeclined
	}
	contentType, _ := r.In.Get("Content-Type")
	for i := range r.Loc.moreInput {
		h := &r.Loc.moreInput[i]
		switch {
		case !h.applies(0, contentType):
		case h.prefix:
			r.In.delPrefix(h.name)
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

// delPrefix removes the headers in the list whose names begin with prefix.
func (o *Response) delPrefix(prefix string) {
	dated := o.Headers.Has("Last-Modified")
	o.Headers.delPrefix(prefix)
	if dated && !o.Headers.Has("Last-Modified") {
		o.LastModified = -1
	}
}

// delPrefix removes the lines whose names begin with prefix.
func (h *Headers) delPrefix(prefix string) {
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
