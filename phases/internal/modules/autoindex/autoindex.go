// Package autoindex is ngx_http_autoindex_module: the listing of a folder.
package autoindex

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// Module is ngx_http_autoindex_module.
var Module = &core.Module{
	Name:       "autoindex",
	Directives: directives,
	Conf:       []core.ConfSlot{loc},
	Build: func(b *core.Builder, l *core.Location) {
		if loc.Of(l).on.V {
			b.Handle(core.ContentPhase, serve)
		}
	},
}

var loc = core.NewLocSlot(merge)

// config is what the autoindex directives say.
type config struct {
	on        core.Opt[bool]
	format    core.Opt[int]
	exactSize core.Opt[bool]
	localTime core.Opt[bool]
}

const (
	formatHTML = iota
	formatJSON
	formatJSONP
	formatXML
)

func merge(a, outer *config, _ bool) {
	a.on.Merge(outer.on, false)
	a.format.Merge(outer.format, formatHTML)
	a.exactSize.Merge(outer.exactSize, true)
	a.localTime.Merge(outer.localTime, false)
}

func directives() []core.Directive {
	return []core.Directive{
		{Name: "autoindex", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(a *config) *core.Opt[bool] { return &a.on }))},
		{Name: "autoindex_format", In: core.InHTTPSrvLoc, Args: core.Take1, Set: core.SetEnum(core.In(loc, func(a *config) *core.Opt[int] { return &a.format }), "html", "json", "jsonp", "xml")},
		{Name: "autoindex_exact_size", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(a *config) *core.Opt[bool] { return &a.exactSize }))},
		{Name: "autoindex_localtime", In: core.InHTTPSrvLoc, Args: core.TakeFlag, Set: core.SetFlag(core.In(loc, func(a *config) *core.Opt[bool] { return &a.localTime }))},
	}
}

// entry is one file of a listing.
type entry struct {
	name      string
	dir, file bool // neither: something else
	size      int64
	mtime     time.Time
}

// serve lists a folder that has no index file
// (ngx_http_autoindex_handler).
func serve(r *core.Request) int {
	a := loc.Of(r.Loc)
	if !strings.HasSuffix(r.URI, "/") || r.Method != "GET" && r.Method != "HEAD" {
		return core.Declined
	}
	if rc := r.DiscardBody(); rc != core.OK {
		return rc
	}
	path, ok := r.MapPath()
	if !ok {
		return 500
	}
	if len(path) > 1 {
		path = path[:len(path)-1]
	}
	format, callback := a.format.V, ""
	if format == formatJSONP {
		if callback, ok = callbackName(r); !ok {
			return 400
		}
		if callback == "" {
			format = formatJSON
		}
	}
	folder, err := os.Open(path)
	if err == nil {
		defer folder.Close()
		var info os.FileInfo
		if info, err = folder.Stat(); err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
	}
	if err != nil {
		return openFailed(r, path, err)
	}
	r.Out.Status = 200
	r.Out.ContentType = [...]string{"text/html", "application/json", "application/javascript", "text/xml"}[format]
	if format == formatXML {
		r.Out.Charset = "utf-8"
	}
	if rc := r.SendHeader(); rc != core.OK || r.HeaderOnly {
		return rc
	}
	entries, err := readFolder(r, folder, path)
	if err != nil {
		return core.Error
	}
	var b []byte
	switch format {
	case formatHTML:
		b = htmlListing(r, a, entries)
	case formatXML:
		b = xmlListing(entries)
	case formatJSON:
		b = jsonListing(nil, entries)
	case formatJSONP:
		b = append(jsonListing([]byte("/* callback */\r\n"+callback+"("), entries), ");"...)
	}
	return r.Output(b, true)
}

// openFailed gives the status for a folder that cannot be read.
func openFailed(r *core.Request, path string, err error) int {
	level, status := errlog.Crit, 500
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		level, status = errlog.Err, 404
	case errors.Is(err, syscall.EACCES):
		level, status = errlog.Err, 403
	}
	r.Logf(level, "opendir() \"%s\" failed (%s)", path, conf.Errno(err))
	return status
}

// maxCallback is how long a callback's name may be.
const maxCallback = 128

// callbackName is the argument callback; ok is false when it is no name
// (ngx_http_autoindex_jsonp_callback).
func callbackName(r *core.Request) (name string, ok bool) {
	name, _ = core.FindArg(r.Args, "callback")
	if len(name) > maxCallback {
		r.Logf(errlog.Info, "client sent too long callback name: \"%s\"", name)
		return "", false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c != '_' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			r.Logf(errlog.Info, "client sent invalid callback name: \"%s\"", name)
			return "", false
		}
	}
	return name, true
}

// readFolder reads a folder: folders first, then by name; what begins with a dot
// is left out, as is what may not be looked at.
func readFolder(r *core.Request, folder *os.File, path string) ([]entry, error) {
	names, err := folder.Readdirnames(-1)
	if err != nil {
		r.Logf(errlog.Crit, "readdir() \"%s\" failed (%s)", path, conf.Errno(err))
		return nil, err
	}
	var entries []entry
	for _, name := range names {
		if name[0] == '.' {
			continue
		}
		full := filepath.Join(path, name)
		info, err := os.Stat(full)
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ELOOP) {
			info, err = os.Lstat(full)
		}
		if err != nil {
			r.Logf(errlog.Crit, "stat() \"%s\" failed (%s)", full, conf.Errno(err))
			if errors.Is(err, syscall.EACCES) {
				continue
			}
			return nil, err
		}
		entries = append(entries, entry{name: name, dir: info.IsDir(), file: info.Mode().IsRegular(), size: info.Size(), mtime: info.ModTime()})
	}
	sort.Slice(entries, func(i, j int) bool {
		a, b := &entries[i], &entries[j]
		if a.dir != b.dir {
			return a.dir
		}
		return a.name < b.name
	})
	return entries, nil
}

// indexNameWidth is the width of the column of names, in characters.
const indexNameWidth = 50

// htmlListing is the listing as a page (ngx_http_autoindex_html).
func htmlListing(r *core.Request, a *config, entries []entry) []byte {
	uri := ngxtext.EscapeHTML(r.URI)
	b := []byte("<html>\r\n<head><title>Index of " + uri + "</title></head>\r\n<body>\r\n<h1>Index of " + uri +
		"</h1><hr><pre><a href=\"../\">../</a>\r\n")
	utf8Names := ngxtext.EqualFold(r.Out.Charset, "utf-8")
	for i := range entries {
		e := &entries[i]
		b = append(b, "<a href=\""+ngxtext.EscapeURI(e.name, ngxtext.EscapeComponent)...)
		if e.dir {
			b = append(b, '/')
		}
		b = append(b, "\">"...)
		b = e.appendName(b, utf8Names)
		b = append(b, ' ')
		t := e.mtime.UTC()
		if a.localTime.V {
			t = e.mtime.Local()
		}
		b = t.AppendFormat(b, "02-Jan-2006 15:04 ")
		b = append(b, e.sizeColumn(a.exactSize.V)+"\r\n"...)
	}
	return append(b, "</pre><hr></body>\r\n</html>\r\n"...)
}

// appendName appends the name as it is shown, cut or padded to its column.
func (e *entry) appendName(b []byte, isUTF8 bool) []byte {
	n := len(e.name)
	if isUTF8 {
		n = utf8.RuneCountInString(e.name)
	}
	if n > indexNameWidth {
		cut := indexNameWidth - 3
		if n != len(e.name) {
			at := 0
			for range cut {
				_, size := utf8.DecodeRuneInString(e.name[at:])
				at += size
			}
			cut = at
		}
		return append(b, ngxtext.EscapeHTML(e.name[:cut])+"..&gt;</a>"...)
	}
	b = append(b, ngxtext.EscapeHTML(e.name)...)
	if e.dir && n < indexNameWidth {
		b = append(b, '/')
		n++
	}
	return append(b, "</a>"+strings.Repeat(" ", indexNameWidth-n)...)
}

// sizeColumn is the size in bytes, or rounded with a unit.
func (e *entry) sizeColumn(exact bool) string {
	pad := func(s string, width int) string { return strings.Repeat(" ", max(width-len(s), 0)) + s }
	switch {
	case exact && e.dir:
		return pad("-", 19)
	case exact:
		return pad(ngxtext.Itoa(e.size), 19)
	case e.dir:
		return pad("-", 7)
	}
	round := func(unit int64) string {
		n := e.size / unit
		if e.size%unit > unit/2-1 {
			n++
		}
		return pad(ngxtext.Itoa(n), 6)
	}
	switch {
	case e.size >= 1<<30:
		return round(1<<30) + "G"
	case e.size >= 1<<20:
		return round(1<<20) + "M"
	case e.size > 9999:
		return round(1<<10) + "K"
	}
	return " " + pad(ngxtext.Itoa(e.size), 6)
}

// jsonListing appends the listing as JSON (ngx_http_autoindex_json).
func jsonListing(b []byte, entries []entry) []byte {
	b = append(b, '[')
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\r\n{ \"name\":\""...)
		b = core.EscapeJSON(b, e.name)
		b = append(b, "\", \"type\":\""+e.kind()+"\", \"mtime\":\""+ngxtext.FormatHTTPTime(e.mtime.Unix())+"\""...)
		if e.file {
			b = append(b, ", \"size\":"+ngxtext.Itoa(e.size)...)
		}
		b = append(b, " }"...)
	}
	return append(b, "\r\n]"...)
}

// kind is what JSON and XML call the entry.
func (e *entry) kind() string {
	switch {
	case e.dir:
		return "directory"
	case e.file:
		return "file"
	}
	return "other"
}

// xmlListing is the listing as XML (ngx_http_autoindex_xml).
func xmlListing(entries []entry) []byte {
	b := []byte("<?xml version=\"1.0\"?>\r\n<list>\r\n")
	for i := range entries {
		e := &entries[i]
		b = append(b, '<')
		b = append(b, e.kind()...)
		b = e.mtime.UTC().AppendFormat(b, " mtime=\"2006-01-02T15:04:05Z\"")
		if e.file {
			b = append(b, " size=\""...)
			b = strconv.AppendInt(b, e.size, 10)
			b = append(b, '"')
		}
		b = append(b, ">"+ngxtext.EscapeHTML(e.name)+"</"+e.kind()+">\r\n"...)
	}
	return append(b, "</list>\r\n"...)
}
