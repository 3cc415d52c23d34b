package manual

import (
	"slices"
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/known"
)

// contexts are the levels of a configuration in the words of nginx's manual.
var contexts = []struct {
	level core.Level
	name  string
}{
	{core.InMain, "main"}, {core.InEvents, "events"}, {core.InHTTP, "http"}, {core.InServer, "server"},
	{core.InLocation, "location"}, {core.InServerIf, "if in server"}, {core.InLocationIf, "if in location"},
	{core.InUpstream, "upstream"}, {core.InLimitExcept, "limit_except"},
}

// names are the contexts of a directive's rows.
func names(rows []*core.Directive) (list []string) {
	for _, c := range contexts {
		if levels(rows)&c.level != 0 {
			list = append(list, c.name)
		}
	}
	return list
}

func levels(rows []*core.Directive) (in core.Level) {
	for _, r := range rows {
		in |= r.In
	}
	return in
}

// anyOf joins contexts as a sentence has them: "http, server or location".
func anyOf(rows []*core.Directive) string {
	list := names(rows)
	if n := len(list) - 1; n > 0 {
		return strings.Join(list[:n], ", ") + " or " + list[n]
	}
	return strings.Join(list, "")
}

// nearest finds the directive that was meant: the one with the fewest letters changed, of several
// rather one that may stand here, then one that stands elsewhere, then one that only nginx has. levels
// is 0 for the last kind; the name is "" when none is near.
func nearest(index map[string][]*core.Directive, name string, in core.Level) (best string, where core.Level) {
	most := min(3, 1+len(name)/5)
	cost := 3*most + 3
	try := func(candidate string, in2 core.Level, extra int) {
		d := distance(name, candidate, most)
		if d > most {
			return
		}
		if c := 3*d + extra; c < cost || c == cost && candidate < best {
			best, where, cost = candidate, in2, c
		}
	}
	for candidate, rows := range index {
		at := levels(rows)
		if at&in != 0 {
			try(candidate, at, 0)
		} else {
			try(candidate, at, 1)
		}
	}
	for _, m := range known.Modules() {
		for _, candidate := range m.Directives {
			if index[candidate] == nil {
				try(candidate, 0, 2)
			}
		}
	}
	return best, where
}

// distance counts the letters that are to be put in, taken out, changed, or swapped with their
// neighbour to make b of a (optimal string alignment); more than most when it is more than that.
func distance(a, b string, most int) int {
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	width := len(b) + 1
	before, last, row := make([]int, width), make([]int, width), make([]int, width)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// ours are the directives that nginx and its modules do not have.
var ours = map[string]bool{
	"compat": true, "lua_isolate_globals": true, "lua_ssl_password_file": true,
	"balancer_by_lua": true, "exit_worker_by_lua": true, "precontent_by_lua": true, "server_rewrite_by_lua": true,
	"ssl_certificate_by_lua": true, "ssl_client_hello_by_lua": true, "ssl_session_fetch_by_lua": true,
	"ssl_session_store_by_lua": true,
}
