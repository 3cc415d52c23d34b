package upstream

import (
	"fmt"
	"math"
	"time"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/tlsclient"
)

// Family is what the directives of one protocol have in common (proxy_, fastcgi_, ...), and
// in what they differ from those of another.
type Family struct {
	Prefix string   // "proxy_"
	Has    Groups   // which directives there are
	Next   []string // the words of next_upstream
	// ConvertsHead: HEAD is asked as GET when the response may be cached, unless
	// cache_convert_head says otherwise.
	ConvertsHead bool
	// NamesResponses: the Protocol names responses where no cache_key does.
	NamesResponses bool
	Hides          map[string]bool // headers, in lower case, that are not passed on unless pass_header says so

	ForceRanges bool // one range of a response is served, as by force_ranges
}

// Groups are the directives of a family.
type Groups uint8

const (
	// Streams are the directives about the body that passes through and about what is
	// kept of it: buffers, ignore_client_abort, limit_rate, cache, store.
	Streams Groups = 1 << iota
	// Headers are those about a response's headers: hide_header, intercept_errors.
	Headers
	// TLS are those of connections under TLS, ssl_.
	TLS
)

// Config is what a location says about its exchanges, whatever their protocol is
// (ngx_http_upstream_conf_t).
type Config struct {
	PassBody    core.Opt[bool] // pass_request_body
	PassHeaders core.Opt[bool] // pass_request_headers

	// Intercept404 has a 404 answered by this server, as the protocol has no page for it.
	Intercept404 bool

	family           *Family
	firstHeaders     bool // further lines of some headers of an upstream are dropped
	buffering        core.Opt[bool]
	requestBuffering core.Opt[bool]
	intercept        core.Opt[bool] // intercept_errors
	ignoreAbort      core.Opt[bool] // ignore_client_abort
	socketKeepalive  core.Opt[bool]
	connect          core.Opt[time.Duration]
	send             core.Opt[time.Duration]
	read             core.Opt[time.Duration]
	next             core.Opt[nextKind]
	nextTries        core.Opt[int]
	nextTimeout      core.Opt[time.Duration]
	hide             []string
	passThrough      []string // pass_header
	ignoreHeaders    []string
	bufferSize       core.Opt[int64]
	buffers          core.Opt[core.Buffers]
	busy             core.Opt[int64] // busy_buffers_size
	maxTemp          core.Opt[int64] // max_temp_file_size
	tempWrite        core.Opt[int64] // temp_file_write_size
	bind             core.Opt[bind]
	limitRate        core.Opt[core.Template]
	forceRanges      core.Opt[bool]
	cache            cacheConf
	store            storeConf

	sslName       core.Opt[core.Template]
	sslServerName core.Opt[bool]
	sslVerify     core.Opt[bool]
	sslReuse      core.Opt[bool]
	sslCert       core.Opt[core.Template] // ssl_certificate
	sslKey        core.Opt[core.Template] // ssl_certificate_key
	sslPasswords  core.Opt[[]string]      // of the file ssl_password_file
	ssl           tlsclient.Client

	// Plain is set where the protocol is not spoken under TLS whatever happens: nothing is
	// loaded for that.
	Plain bool
}

// Merge takes over from the level around p what p does not say, and puts in defaults.
func (f *Family) Merge(p, outer *Config) {
	p.family = f
	if p.hide == nil {
		p.hide = outer.hide
	}
	if p.passThrough == nil {
		p.passThrough = outer.passThrough
	}
	if p.ignoreHeaders == nil {
		p.ignoreHeaders = outer.ignoreHeaders
	}
	p.buffering.Merge(outer.buffering, f.Has&Streams != 0)
	p.requestBuffering.Merge(outer.requestBuffering, true)
	p.PassBody.Merge(outer.PassBody, true)
	p.PassHeaders.Merge(outer.PassHeaders, true)
	p.intercept.Merge(outer.intercept, false)
	p.ignoreAbort.Merge(outer.ignoreAbort, false)
	p.socketKeepalive.Merge(outer.socketKeepalive, false)
	p.connect.Merge(outer.connect, time.Minute)
	p.send.Merge(outer.send, time.Minute)
	p.read.Merge(outer.read, time.Minute)
	p.next.Merge(outer.next, nextError|nextTimeout)
	p.nextTries.Merge(outer.nextTries, 0)
	p.limitRate.Merge(outer.limitRate, core.Template{})
	p.nextTimeout.Merge(outer.nextTimeout, 0)
	p.forceRanges.Merge(outer.forceRanges, f.ForceRanges)
	p.store.merge(&outer.store, &p.cache)
	p.cache.merge(&outer.cache)
	p.mergeBuffers(outer)
	if !p.bind.Set {
		p.bind = outer.bind
	}
	if !p.sslName.Set {
		p.sslName = outer.sslName
	}
	p.sslServerName.Merge(outer.sslServerName, false)
	p.sslVerify.Merge(outer.sslVerify, false)
	p.sslReuse.Merge(outer.sslReuse, true)
	if !p.sslCert.Set {
		p.sslCert = outer.sslCert
	}
	if !p.sslKey.Set {
		p.sslKey = outer.sslKey
	}
	p.sslPasswords.Merge(outer.sslPasswords, nil)
	p.ssl.Merge(&outer.ssl)
}

// BufferSize is buffer_size, the bytes that a head may have.
func (p *Config) BufferSize() int { return int(p.bufferSize.V) }

// Build checks what has been merged for a level and loads what TLS needs; what is wrong
// is a failure of the configuration.
func (f *Family) Build(b *core.Builder, l *core.Location, p *Config) {
	p.firstHeaders = b.Cycle.Stack.Has(compat.FirstUpstreamHeader)
	if f.Has&Streams != 0 && l != b.Cycle.HTTP { // http{} itself serves nothing
		if err := f.checkBuffers(p); err != nil {
			b.Fail(err)
		}
		if err := f.cacheError(&p.cache); err != nil {
			b.Fail(err)
		} else if p.cache.on() && !p.cache.key.Set && !f.NamesResponses {
			b.Warnf(p.cache.place, "no \"%scache_key\" for \"%scache\"", f.Prefix, f.Prefix)
		}
	}
	if f.Has&TLS != 0 && !p.Plain {
		if err := f.buildTLS(b.Compiler, p, Hooks.Of(l).Verify != nil); err != nil {
			b.Fail(err)
		}
	}
}

// mergeBuffers inherits the sizes around buffers, of which only buffer_size means
// something here. Two have defaults that depend on others.
func (p *Config) mergeBuffers(outer *Config) {
	p.bufferSize.Merge(outer.bufferSize, 4096)
	p.buffers.Merge(outer.buffers, core.Buffers{Count: 8, Size: 4096})
	p.maxTemp.Merge(outer.maxTemp, 1<<30)
	if !p.busy.Set {
		p.busy = outer.busy
	}
	if !p.tempWrite.Set {
		p.tempWrite = outer.tempWrite
	}
}

// checkBuffers looks whether the sizes around buffers fit together
// (ngx_http_proxy_merge_loc_conf).
func (f *Family) checkBuffers(p *Config) error {
	bufs := p.buffers.V
	most := max(p.bufferSize.V, bufs.Size)
	atLeast := "must be equal to or greater than the maximum of the value of \"" + f.Prefix + "buffer_size\" and one of the \"" + f.Prefix + "buffers\""
	switch busy := p.busy.OrDefault(int64(min(2*uint64(most), math.MaxInt64))); {
	case bufs.Count < 2:
		return fmt.Errorf("there must be at least 2 \"%sbuffers\"", f.Prefix)
	case busy < most:
		return fmt.Errorf("\"%sbusy_buffers_size\" %s", f.Prefix, atLeast)
	case (busy-1)/bufs.Size >= int64(bufs.Count-1):
		return fmt.Errorf("\"%sbusy_buffers_size\" must be less than the size of all \"%sbuffers\" minus one buffer", f.Prefix, f.Prefix)
	case p.tempWrite.OrDefault(most) < most:
		return fmt.Errorf("\"%stemp_file_write_size\" %s", f.Prefix, atLeast)
	case p.maxTemp.V > 0 && p.maxTemp.V < most:
		return fmt.Errorf("\"%smax_temp_file_size\" must be equal to zero to disable temporary files usage or %s", f.Prefix, atLeast)
	}
	return nil
}

// tempDir is where files of a cache are written, "" for beside those that are complete.
func (p *Config) tempDir() string { return "" }
