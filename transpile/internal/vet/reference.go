package vet

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

// Function is what the reference says of a function, a method, a field or a table of ngx_lua's API.
type Function struct {
	Name       string   // "ngx.re.match", "tcpsock:connect", "ngx.ssl.clear_certs"
	Signatures []string // how it is written
	Returns    string   // names of its results, "" for none
	Since      string   // of ngx_lua, "" for its first releases
	Waits      bool     // others run meanwhile
	Phases     string   // where it is not refused, in the first words of the directives
}

// facts are one line a function: name, signatures, results, since, y when it waits, phases where the table of
// this package has none of its own ("*" for all, "* -x" for all but x).
//
//go:embed api.tsv
var facts string

// Functions lists the API, by name.
func Functions() []Function {
	var list []Function
	for line := range strings.SplitSeq(strings.TrimSpace(facts), "\n") {
		f := strings.Split(line, "\t")
		fn := Function{Name: f[0], Signatures: strings.Split(f[1], " ¦ "), Returns: f[2], Since: f[3], Waits: f[4] == "y"}
		if f[5] != "" {
			fn.Phases = phaseWords(f[5])
		} else if in, ok := allowed(strings.TrimSuffix(strings.TrimSuffix(fn.Name, ".VARIABLE"), ".HEADER")); ok {
			fn.Phases = in.words()
		}
		list = append(list, fn)
	}
	slices.SortFunc(list, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Constants lists the names in capitals below ngx, sorted.
func Constants() []string {
	return slices.Sorted(maps.Keys(constants))
}

// phaseWords reads the last column of facts.
func phaseWords(text string) string {
	words := strings.Fields(text)
	if words[0] != "*" {
		return strings.Join(words, ", ")
	}
	in := everywhere
	for _, w := range words[1:] {
		if w = strings.TrimPrefix(w, "-"); w == "timer" {
			in &^= inTimer
		} else {
			in &^= directives[w]
		}
	}
	return in.words()
}

// order is that of a request's life, the other contexts around it.
var order = strings.Fields(`init init_worker ssl_client_hello ssl_session_fetch ssl_certificate ssl_session_store set server_rewrite
	rewrite access precontent content balancer proxy_ssl_certificate proxy_ssl_verify header_filter body_filter log timer
	exit_worker`)

// words lists contexts, or those that are missing when that is shorter.
func (c contexts) words() string {
	var in, out []string
	for _, word := range order {
		bit := directives[word]
		if word == "timer" {
			bit = inTimer
		}
		if c&bit != 0 {
			in = append(in, word)
		} else {
			out = append(out, word)
		}
	}
	switch {
	case len(out) == 0:
		return "everywhere"
	case len(out) < len(in):
		return "all but " + strings.Join(out, ", ")
	}
	return strings.Join(in, ", ")
}
