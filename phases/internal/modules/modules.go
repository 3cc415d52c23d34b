// Package modules lists the modules in the order of nginx's ngx_modules.c, which is
// the order of their filters and handlers.
package modules

import (
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/lua"
	"github.com/moonphase/moonphase/phases/internal/modules/access"
	"github.com/moonphase/moonphase/phases/internal/modules/addition"
	"github.com/moonphase/moonphase/phases/internal/modules/authbasic"
	"github.com/moonphase/moonphase/phases/internal/modules/authrequest"
	"github.com/moonphase/moonphase/phases/internal/modules/autoindex"
	"github.com/moonphase/moonphase/phases/internal/modules/brotli"
	"github.com/moonphase/moonphase/phases/internal/modules/brotlistatic"
	"github.com/moonphase/moonphase/phases/internal/modules/browser"
	"github.com/moonphase/moonphase/phases/internal/modules/charset"
	"github.com/moonphase/moonphase/phases/internal/modules/dav"
	"github.com/moonphase/moonphase/phases/internal/modules/echo"
	"github.com/moonphase/moonphase/phases/internal/modules/emptygif"
	"github.com/moonphase/moonphase/phases/internal/modules/fastcgi"
	"github.com/moonphase/moonphase/phases/internal/modules/geo"
	"github.com/moonphase/moonphase/phases/internal/modules/gunzip"
	"github.com/moonphase/moonphase/phases/internal/modules/gzip"
	"github.com/moonphase/moonphase/phases/internal/modules/gzipstatic"
	"github.com/moonphase/moonphase/phases/internal/modules/headers"
	"github.com/moonphase/moonphase/phases/internal/modules/headersmore"
	"github.com/moonphase/moonphase/phases/internal/modules/http2"
	"github.com/moonphase/moonphase/phases/internal/modules/index"
	"github.com/moonphase/moonphase/phases/internal/modules/limitconn"
	"github.com/moonphase/moonphase/phases/internal/modules/limitreq"
	"github.com/moonphase/moonphase/phases/internal/modules/log"
	maps "github.com/moonphase/moonphase/phases/internal/modules/map"
	"github.com/moonphase/moonphase/phases/internal/modules/memc"
	"github.com/moonphase/moonphase/phases/internal/modules/memcached"
	"github.com/moonphase/moonphase/phases/internal/modules/mirror"
	"github.com/moonphase/moonphase/phases/internal/modules/notmodified"
	"github.com/moonphase/moonphase/phases/internal/modules/proxy"
	"github.com/moonphase/moonphase/phases/internal/modules/randomindex"
	"github.com/moonphase/moonphase/phases/internal/modules/rangefilter"
	"github.com/moonphase/moonphase/phases/internal/modules/realip"
	"github.com/moonphase/moonphase/phases/internal/modules/referer"
	"github.com/moonphase/moonphase/phases/internal/modules/rewrite"
	"github.com/moonphase/moonphase/phases/internal/modules/securelink"
	"github.com/moonphase/moonphase/phases/internal/modules/setmisc"
	"github.com/moonphase/moonphase/phases/internal/modules/slice"
	"github.com/moonphase/moonphase/phases/internal/modules/splitclients"
	"github.com/moonphase/moonphase/phases/internal/modules/ssi"
	"github.com/moonphase/moonphase/phases/internal/modules/ssl"
	"github.com/moonphase/moonphase/phases/internal/modules/static"
	"github.com/moonphase/moonphase/phases/internal/modules/stubstatus"
	"github.com/moonphase/moonphase/phases/internal/modules/sub"
	"github.com/moonphase/moonphase/phases/internal/modules/tryfiles"
	"github.com/moonphase/moonphase/phases/internal/modules/upstream"
	"github.com/moonphase/moonphase/phases/internal/modules/userid"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

// All is the list of the modules, in the order of nginx's ngx_modules.c:
// what stands last is asked first. Each place has its reason.
func All() []*core.Module {
	return []*core.Module{
		tlsclient.Module, // what others' TLS connections need

		log.Module, // behind log_by_lua
		upstream.Module,
		http2.Module,

		// Content: an index moves the request on, a listing is for want of one,
		// and what both leave is a file, packed where there is such a one.
		static.Module,
		gzipstatic.Module,
		dav.Module,
		autoindex.Module,
		index.Module,
		randomindex.Module,

		mirror.Module,
		tryfiles.Module,

		// Access: addresses are looked at before anybody is asked.
		authrequest.Module,
		authbasic.Module,
		access.Module,

		limitconn.Module,
		limitreq.Module,

		realip.Module, // whom the others count and let in is settled first

		geo.Module,
		maps.Module,
		splitclients.Module,
		referer.Module,
		rewrite.Module, // behind server_rewrite_by_lua

		ssl.Module, // its configurations are built when ngx_lua has put its hooks in

		// Proxies, and how they choose among the peers of an upstream.
		proxy.Module,
		fastcgi.Module,
		memcached.Module,
		emptygif.Module,
		browser.Module,
		securelink.Module,
		upstream.HashModule,
		upstream.IPHashModule,
		upstream.LeastConnModule,
		upstream.RandomModule,
		upstream.LeastTimeModule,
		upstream.KeepaliveModule,
		upstream.StickyModule,
		upstream.ZoneModule,

		stubstatus.Module,

		// Filters of the main request's bytes. Ranges are of what gzip leaves alone.
		rangefilter.HeaderModule,
		gzip.Module,
		brotli.Module, // before gzip, for clients that take both

		// Filters of each request's own response.
		ssi.Module,
		charset.Module,
		sub.Module,
		addition.Module,
		gunzip.Module, // the others look into what was packed
		userid.Module,
		headers.Module, // add_header is not what header_filter_by_lua changes
		echo.Module,
		lua.Module,
		headersmore.Module,
		echo.Body,
		rangefilter.BodyModule,
		notmodified.Module, // before those above: a 304 has nothing to filter
		slice.Module,       // what the others see is the whole

		brotlistatic.Module, // before gzip_static, for clients that take both

		memc.Module,
		setmisc.Module,
	}
}
