package phases

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
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// autoindexModule is ngx_http_autoindex_module.
var autoindexModule = &Module{
	name:       "autoindex",
	directives: autoindexDirectives,
	conf:       []confSlot{autoindexLoc},
	build: func(b *builder, l *Location) {
		if autoindexLoc.of(l).on.v {
			b.handle(stepContent, serveAutoindex)
		}
	},
}

var autoindexLoc = newLocSlot(mergeAutoindex)

// autoindexConf is what the autoindex directives say.
type autoindexConf struct {
	on        opt[bool]
	format    opt[int]
	exactSize opt[bool]
	localTime opt[bool]
}

const (
	autoindexHTML = iota
	autoindexJSON
	autoindexJSONP
	autoindexXML
)

func mergeAutoindex(a, outer *autoindexConf, _ bool) {
	a.on.merge(outer.on, false)
	a.format.merge(outer.format, autoindexHTML)
	a.exactSize.merge(outer.exactSize, true)
	a.localTime.merge(outer.localTime, false)
}

func autoindexDirectives() []directive {
	return []directive{
		{"autoindex", inHTTPSrvLoc, takeFlag, onOff(in(autoindexLoc, func(a *autoindexConf) *opt[bool] { return &a.on }))},
		{"autoindex_format", inHTTPSrvLoc, take1, enum(in(autoindexLoc, func(a *autoindexConf) *opt[int] { return &a.format }), "html", "json", "jsonp", "xml")},
		{"autoindex_exact_size", inHTTPSrvLoc, takeFlag, onOff(in(autoindexLoc, func(a *autoindexConf) *opt[bool] { return &a.exactSize }))},
		{"autoindex_localtime", inHTTPSrvLoc, takeFlag, onOff(in(autoindexLoc, func(a *autoindexConf) *opt[bool] { return &a.localTime }))},
	}
}

// autoindexEntry is one file of a listing.
type autoindexEntry struct {
	name      string
	dir, file bool // neither: something else
	size      int64
	mtime     time.Time
}

// serveAutoindex lists a folder that has no index file
// (ngx_http_autoindex_handler).
func serveAutoindex(r *Request) int {
	a := autoindexLoc.of(r.Loc)
	if !strings.HasSuffix(r.URI, "/") || r.Method != "GET" && r.Method != "HEAD" {
		return rcDeclined
	}
	if rc := r.DiscardBody(); rc != rcOK {
		return rc
	}
	path, ok := r.mapPath()
	if !ok {
		return 500
	}
	if len(path) > 1 {
		path = path[:len(path)-1]
	}
	format, callback := a.format.v, ""
	if format == autoindexJSONP {
		if callback, ok = autoindexCallback(r); !ok {
			return 400
		}
		if callback == "" {
			format = autoindexJSON
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
		return autoindexFailed(r, path, err)
	}
	r.Out.Status = 200
	r.Out.ContentType = [...]string{"text/html", "application/json", "application/javascript", "text/xml"}[format]
	if format == autoindexXML {
		r.Out.Charset = "utf-8"
	}
	if rc := r.SendHeader(); rc != rcOK || r.HeaderOnly {
		return rc
	}
	entries, err := autoindexRead(r, folder, path)
	if err != nil {
		return rcError
	}
	var b []byte
	switch format {
	case autoindexHTML:
		b = autoindexPage(r, a, entries)
	case autoindexXML:
		b = autoindexAsXML(entries)
	case autoindexJSON:
		b = autoindexAsJSON(nil, entries)
	case autoindexJSONP:
		b = append(autoindexAsJSON([]byte("/* callback */\r\n"+callback+"("), entries), ");"...)
	}
	return r.Output(b, true)
}

// autoindexFailed gives the status for a folder that cannot be read.
func autoindexFailed(r *Request, path string, err error) int {
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

// autoindexCallback is the argument callback, decoded; ok is false when it is no name.
func autoindexCallback(r *Request) (name string, ok bool) {
	name, _ = findArg(r.Args, "callback")
	name = unescapeURI(name)
	for i := 0; i < len(name); i++ {
		if c := name[i]; c != '_' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			r.Logf(errlog.Info, "client sent invalid callback name: \"%s\"", name)
			return "", false
		}
	}
	return name, true
}

// autoindexRead reads a folder: folders first, then by name; what begins with a dot
// is left out, as is what may not be looked at.
func autoindexRead(r *Request, folder *os.File, path string) ([]autoindexEntry, error) {
	names, err := folder.Readdirnames(-1)
	if err != nil {
		r.Logf(errlog.Crit, "readdir() \"%s\" failed (%s)", path, conf.Errno(err))
		return nil, err
	}
	var entries []autoindexEntry
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
		entries = append(entries, autoindexEntry{name: name, dir: info.IsDir(), file: info.Mode().IsRegular(), size: info.Size(), mtime: info.ModTime()})
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

// autoindexPage is the listing as a page (ngx_http_autoindex_html).
func autoindexPage(r *Request, a *autoindexConf, entries []autoindexEntry) []byte {
	uri := escapeHTML(r.URI)
	b := []byte("<html>\r\n<head><title>Index of " + uri + "</title></head>\r\n<body>\r\n<h1>Index of " + uri +
		"</h1><hr><pre><a href=\"../\">../</a>\r\n")
	utf8Names := equalFold(r.Out.Charset, "utf-8")
	for i := range entries {
		e := &entries[i]
		b = append(b, "<a href=\""+escapeURI(e.name, escapeComponent)...)
		if e.dir {
			b = append(b, '/')
		}
		b = append(b, "\">"...)
		b = e.appendName(b, utf8Names)
		b = append(b, ' ')
		t := e.mtime.UTC()
		if a.localTime.v {
			t = e.mtime.Local()
		}
		b = t.AppendFormat(b, "02-Jan-2006 15:04 ")
		b = append(b, e.sizeColumn(a.exactSize.v)+"\r\n"...)
	}
	return append(b, "</pre><hr></body>\r\n</html>\r\n"...)
}

// appendName appends the name as it is shown, cut or padded to its column.
func (e *autoindexEntry) appendName(b []byte, isUTF8 bool) []byte {
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
		return append(b, escapeHTML(e.name[:cut])+"..&gt;</a>"...)
	}
	b = append(b, escapeHTML(e.name)...)
	if e.dir && n < indexNameWidth {
		b = append(b, '/')
		n++
	}
	return append(b, "</a>"+strings.Repeat(" ", indexNameWidth-n)...)
}

// sizeColumn is the size in bytes, or rounded with a unit.
func (e *autoindexEntry) sizeColumn(exact bool) string {
	pad := func(s string, width int) string { return strings.Repeat(" ", max(width-len(s), 0)) + s }
	switch {
	case exact && e.dir:
		return pad("-", 19)
	case exact:
		return pad(itoa(e.size), 19)
	case e.dir:
		return pad("-", 7)
	}
	round := func(unit int64) string {
		n := e.size / unit
		if e.size%unit > unit/2-1 {
			n++
		}
		return pad(itoa(n), 6)
	}
	switch {
	case e.size >= 1<<30:
		return round(1<<30) + "G"
	case e.size >= 1<<20:
		return round(1<<20) + "M"
	case e.size > 9999:
		return round(1<<10) + "K"
	}
	return " " + pad(itoa(e.size), 6)
}

// autoindexAsJSON appends the listing as JSON (ngx_http_autoindex_json).
func autoindexAsJSON(b []byte, entries []autoindexEntry) []byte {
	b = append(b, '[')
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\r\n{ \"name\":\""...)
		b = escapeJSON(b, e.name)
		b = append(b, "\", \"type\":\""+e.kind()+"\", \"mtime\":\""+formatHTTPTime(e.mtime.Unix())+"\""...)
		if e.file {
			b = append(b, ", \"size\":"+itoa(e.size)...)
		}
		b = append(b, " }"...)
	}
	return append(b, "\r\n]"...)
}

// kind is what JSON and XML call the entry.
func (e *autoindexEntry) kind() string {
	switch {
	case e.dir:
		return "directory"
	case e.file:
		return "file"
	}
	return "other"
}

// autoindexAsXML is the listing as XML (ngx_http_autoindex_xml).
func autoindexAsXML(entries []autoindexEntry) []byte {
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
		b = append(b, ">"+escapeHTML(e.name)+"</"+e.kind()+">\r\n"...)
	}
	return append(b, "</list>\r\n"...)
}
