package ssi

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// include puts the answer of another location here, or into a variable; ok is false for a
// command that is wrong (ngx_http_ssi_include).
func (x *run) include(v values) (rc int, ok bool) {
	target, ok := x.target(v)
	if !ok {
		return core.OK, false
	}
	stub := -1
	if name := v["stub"]; v.has("stub") {
		list := shared.Of(x.r.Main).blocks
		for i := range list {
			if list[i].name == name {
				stub = i
				break
			}
		}
		if stub < 0 {
			return core.OK, x.logf("\"stub\"=\"%s\" for \"include\" not found", name)
		}
	}
	uri, args, ok := x.r.OpenTarget(target)
	if !ok {
		return core.OK, false
	}
	if rc := x.flush(); rc != core.OK {
		return rc, true
	}
	o := core.SubrequestOptions{URI: uri, Args: args, EmptyArgs: strings.Contains(target, "?"), ShareVars: true}
	var body []byte
	if v.has("set") {
		o.InMemory = true
		o.Into = &body
	}
	if stub >= 0 {
		text := shared.Of(x.r.Main).blocks[stub].text
		o.Post = func(sub *core.Request, rc int) { standIn(sub, rc, text) }
	}
	sub := x.r.Subrequest(o)
	if sub == nil {
		return core.OK, false
	}
	defer sub.Release()
	x.r.Wait(sub.RunSubrequest)
	if v.has("set") {
		x.setVar(v["set"], string(body))
	}
	return x.r.Main.Killed, true
}

// flush passes on what stands before the include.
func (x *run) flush() int {
	out := x.page.out
	x.page.out = nil
	if len(out) == 0 {
		return core.OK
	}
	return x.next.Pass(x.r, out, 0)
}

// target is the place that an include names, its path decoded once.
func (x *run) target(v values) (string, bool) {
	uri := v["virtual"]
	switch wait := v["wait"]; {
	case v.has("virtual") && v.has("file"):
		return "", x.logf("inclusion may be either virtual=\"%s\" or file=\"%s\"", uri, v["file"])
	case !v.has("virtual") && !v.has("file"):
		return "", x.logf("no parameter in \"include\" SSI command")
	case v.has("set") && v.has("stub"):
		return "", x.logf("\"set\" and \"stub\" cannot be used together in \"include\" SSI command")
	case v.has("wait") && !v.has("virtual"):
		return "", x.logf("\"wait\" cannot be used with file=\"%s\"", v["file"])
	case v.has("wait") && !ngxtext.EqualFold(wait, "yes") && !ngxtext.EqualFold(wait, "no"):
		return "", x.logf("invalid value \"%s\" in the \"wait\" parameter", wait)
	}
	if !v.has("virtual") {
		uri = v["file"]
	}
	uri, ok := x.text(uri)
	if !ok {
		return "", false
	}
	if !strings.HasPrefix(uri, "/") {
		uri = x.r.URI[:strings.LastIndexByte(x.r.URI, '/')+1] + uri
	}
	path, args, some := strings.Cut(uri, "?")
	if uri = core.UnescapeURI(path); some {
		uri += "?" + args
	}
	return uri, true
}

// standIn answers with the text of a block for a subrequest that has no answer
// (ngx_http_ssi_stub_output).
func standIn(sub *core.Request, rc int, text []byte) {
	if rc == core.Error || sub.HeadersSent {
		return
	}
	sub.Out.Status = 200
	sub.SetContentType()
	if sub.SendHeader() == core.OK {
		sub.Output(text, true)
	}
}
