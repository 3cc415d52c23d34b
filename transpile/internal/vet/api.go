package vet

import "strings"

// contexts is a set of places where nginx runs Lua.
type contexts uint32

const (
	inInit contexts = 1 << iota
	inInitWorker
	inExitWorker
	inSet
	inServerRewrite
	inRewrite
	inAccess
	inPrecontent
	inContent
	inHeaderFilter
	inBodyFilter
	inLog
	inBalancer
	inTimer
	inClientHello
	inCert
	inSessionFetch
	inSessionStore
	inProxyCert
	inProxyVerify
	everywhere contexts = 1<<iota - 1
)

const (
	// inRequest: there is an HTTP request to look at.
	inRequest = everywhere &^ (inInit | inInitWorker | inExitWorker | inTimer | inHandshake)
	// inHandshake: a TLS connection, no request yet.
	inHandshake = inClientHello | inCert | inSessionFetch | inSessionStore
	// inOutput: the response can still be written.
	inOutput = inServerRewrite | inRewrite | inAccess | inPrecontent | inContent
	// inWaiting: Lua may wait for something.
	inWaiting = inOutput | inTimer | inClientHello | inCert | inSessionFetch | inProxyCert | inProxyVerify
)

// directives maps the first word of a *_by_lua* directive to its context.
var directives = map[string]contexts{
	"init": inInit, "init_worker": inInitWorker, "exit_worker": inExitWorker, "set": inSet,
	"server_rewrite": inServerRewrite, "rewrite": inRewrite, "access": inAccess, "precontent": inPrecontent,
	"content": inContent, "header_filter": inHeaderFilter, "body_filter": inBodyFilter, "log": inLog,
	"balancer": inBalancer, "ssl_client_hello": inClientHello, "ssl_certificate": inCert,
	"ssl_session_fetch": inSessionFetch, "ssl_session_store": inSessionStore,
	"proxy_ssl_certificate": inProxyCert, "proxy_ssl_verify": inProxyVerify,
}

// contextOf is the context of a directive's code, 0 when it is not one of ours.
func contextOf(directive string) contexts {
	word, _, ok := strings.Cut(directive, "_by_lua")
	if !ok {
		return 0
	}
	return directives[word]
}

// contextName is what ngx_lua calls c in its messages.
func contextName(c contexts) string {
	if c == inTimer {
		return "ngx.timer"
	}
	for word, d := range directives {
		if d == c {
			return word + "_by_lua*"
		}
	}
	return "this context"
}

// api lists the names below ngx and ndk with the contexts in which ngx_lua
// 0.10.23 does not refuse them ("API disabled in the context of ..."). A name
// stands for all that is below it, as ngx.var does for ngx.var.uri.
var api = func() map[string]contexts {
	m := map[string]contexts{}
	for _, group := range []struct {
		in    contexts
		names string
	}{
		{everywhere, `ngx.balancer ngx.config ngx.cookie_time ngx.crc32_long ngx.crc32_short ngx.decode_args
			ngx.decode_base64 ngx.decode_base64mime ngx.encode_args ngx.encode_base64 ngx.escape_uri ngx.get_phase
			ngx.hmac_sha1 ngx.http_time ngx.localtime ngx.log ngx.md5 ngx.md5_bin ngx.now ngx.null ngx.ocsp
			ngx.parse_http_time ngx.quote_sql_str ngx.re.find ngx.re.gmatch ngx.re.gsub ngx.re.match ngx.re.sub
			ngx.semaphore ngx.sha1_bin ngx.shared ngx.ssl ngx.time ngx.today ngx.unescape_uri ngx.update_time
			ngx.utctime ngx.worker ngx.errlog ngx.pipe ngx.process ngx.base64 ngx.resp.add_header ngx.re.split ngx.re.opt`},
		{everywhere &^ inInit, `ndk.set_var ngx.ctx ngx.get_raw_phase ngx.req.start_time ngx.timer.pending_count
			ngx.timer.running_count`},
		{everywhere &^ (inInit | inExitWorker), `ngx.timer.at ngx.timer.every`},
		{inRequest, `ngx.header ngx.headers_sent ngx.is_subrequest ngx.req.append_body ngx.req.clear_header
			ngx.req.discard_body ngx.req.finish_body ngx.req.get_body_data ngx.req.get_body_file ngx.req.get_headers
			ngx.req.get_method ngx.req.get_post_args ngx.req.get_query_args ngx.req.get_uri_args ngx.req.http_version
			ngx.req.init_body ngx.req.is_internal ngx.req.raw_header ngx.req.set_body_data ngx.req.set_body_file
			ngx.req.set_header ngx.req.set_method ngx.req.set_uri ngx.req.set_uri_args ngx.resp.get_headers
			ngx.status ngx.var`},
		{inOutput, `ngx.eof ngx.exec ngx.flush ngx.print ngx.redirect ngx.req.read_body ngx.req.socket ngx.say
			ngx.send_headers`},
		{inRewrite | inAccess | inContent, `ngx.location.capture ngx.location.capture_multi`},
		{inOutput | inProxyCert | inProxyVerify, `ngx.on_abort`},
		{inWaiting, `ngx.run_worker_thread ngx.sleep ngx.socket.connect ngx.socket.stream ngx.socket.tcp
			ngx.socket.udp ngx.thread.kill ngx.thread.spawn ngx.thread.wait`},
		{inWaiting | inHeaderFilter | inBalancer | inSessionStore, `ngx.exit`},
		{inSet | inBodyFilter, `ngx.arg`},
	} {
		for _, name := range strings.Fields(group.names) {
			m[name] = group.in
		}
	}
	return m
}()

// constants lists the names in capitals below ngx.
var constants = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`AGAIN ALERT CRIT DEBUG DECLINED DONE EMERG ERR ERROR HTTP_ACCEPTED
		HTTP_BAD_GATEWAY HTTP_BAD_REQUEST HTTP_CLOSE HTTP_CONFLICT HTTP_CONTINUE HTTP_COPY HTTP_CREATED HTTP_DELETE
		HTTP_FORBIDDEN HTTP_GATEWAY_TIMEOUT HTTP_GET HTTP_GONE HTTP_HEAD HTTP_ILLEGAL HTTP_INSUFFICIENT_STORAGE
		HTTP_INTERNAL_SERVER_ERROR HTTP_LOCK HTTP_METHOD_NOT_IMPLEMENTED HTTP_MKCOL HTTP_MOVE HTTP_MOVED_PERMANENTLY
		HTTP_MOVED_TEMPORARILY HTTP_NOT_ACCEPTABLE HTTP_NOT_ALLOWED HTTP_NOT_FOUND HTTP_NOT_IMPLEMENTED
		HTTP_NOT_MODIFIED HTTP_NO_CONTENT HTTP_OK HTTP_OPTIONS HTTP_PARTIAL_CONTENT HTTP_PATCH HTTP_PAYMENT_REQUIRED
		HTTP_PERMANENT_REDIRECT HTTP_POST HTTP_PROPFIND HTTP_PROPPATCH HTTP_PUT HTTP_REQUEST_TIMEOUT HTTP_SEE_OTHER
		HTTP_SERVICE_UNAVAILABLE HTTP_SPECIAL_RESPONSE HTTP_SWITCHING_PROTOCOLS HTTP_TEMPORARY_REDIRECT
		HTTP_TOO_MANY_REQUESTS HTTP_TRACE HTTP_UNAUTHORIZED HTTP_UNLOCK HTTP_UPGRADE_REQUIRED
		HTTP_VERSION_NOT_SUPPORTED INFO NOTICE OK STDERR WARN`) {
		m[name] = true
	}
	return m
}()

// allowed finds the contexts of an API path or of something below it; known is
// false for a path that ngx_lua does not have.
func allowed(path string) (in contexts, known bool) {
	for p := path; p != ""; {
		if in, ok := api[p]; ok {
			return in, true
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	if name, ok := strings.CutPrefix(path, "ngx."); ok && constants[name] {
		return everywhere, true
	}
	return 0, false
}

// globals are the names that every Lua state starts with.
var globals = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`_G _VERSION arg assert bit collectgarbage coroutine debug dofile error gcinfo
		getfenv getmetatable io ipairs jit load loadfile loadstring math module ndk newproxy next ngx os package pairs
		pcall print rawequal rawget rawlen rawset require select setfenv setmetatable string table thread_exdata tonumber
		tostring type unpack xpcall`) {
		m[name] = true
	}
	return m
}()
