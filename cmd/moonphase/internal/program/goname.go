package program

import (
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// place identifies a directive.
type place struct {
	file      string
	line      int
	directive string
}

// goNames suggests a Go name for the inline code of each Lua directive, from
// its phase and its location: content_by_lua in `location = /hello` becomes
// content_hello. Line numbers stay out of it, so that a config that grows
// keeps its names. Equal suggestions are told apart by the compiler.
func goNames(tree []*conf.Directive) map[place]string {
	names := map[place]string{}
	var walk func(list []*conf.Directive, where string)
	walk = func(list []*conf.Directive, where string) {
		for _, d := range list {
			switch {
			case strings.Contains(d.Name, "_by_lua"):
				phase, _, _ := strings.Cut(d.Name, "_by_lua")
				names[place{d.File, d.Line, d.Name}] = phase + where
			case d.Name == "location" && len(d.Args) > 0:
				walk(d.Block, "_"+words(d.Args[len(d.Args)-1], "root"))
			case d.Name == "upstream" && len(d.Args) > 0:
				walk(d.Block, "_"+words(d.Args[0], "upstream"))
			default:
				walk(d.Block, where)
			}
		}
	}
	walk(tree, "")
	return names
}

// words keeps the letters and digits of text, with one underscore between
// runs of them; text without any becomes other.
func words(text, other string) string {
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if len(parts) == 0 {
		return other
	}
	return strings.Join(parts, "_")
}
