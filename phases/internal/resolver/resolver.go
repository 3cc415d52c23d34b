// Package resolver asks name servers for the addresses of names, as nginx's
// resolver does (ngx_resolver.c): its own cache, its own words for what fails.
package resolver

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/inet"
)

// Resolver is what the resolver directive says: name servers and options.
type Resolver struct {
	Servers []string // host:port
	Valid   time.Duration
	IPv4    bool
	IPv6    bool
	// Local is set by resolver's local=on: names are also looked up in
	// /etc/hosts and its servers are those of resolv.conf.
	Local bool

	cache nameCache
}

// nameCache keeps what name servers answered, for one resolver directive.
type nameCache struct {
	mu      sync.Mutex
	answers map[question]nameAnswer
	next    int // server to ask first
}

// question is a name, and whether it is that of a service.
type question struct {
	name    string
	service bool
}

// nameAnswer is what is known of a name, and until when.
type nameAnswer struct {
	dnsAnswer
	expires time.Time
}

// Error says why a name has no address, in nginx's words.
type Error struct {
	name string // as the resolver saw it
	code int
}

func (e *Error) Error() string { return e.name + " " + e.Reason() }

// Reason is the error without the name.
func (e *Error) Reason() string {
	return fmt.Sprintf("could not be resolved (%d: %s)", e.code, resolveText(e.code))
}

// NotFound tells whether the name is known not to exist, so that asking again soon is no use.
func (e *Error) NotFound() bool { return e.code == dns.RcodeNameError }

// resolveTimedOut is the code of a name that no server answered for in time (ETIMEDOUT).
const resolveTimedOut = 110

// resolveText words a code (ngx_resolver_strerror).
func resolveText(code int) string {
	switch code {
	case dns.RcodeFormatError:
		return "Format error"
	case dns.RcodeServerFailure:
		return "Server failure"
	case dns.RcodeNameError:
		return "Host not found"
	case dns.RcodeNotImplemented:
		return "Unimplemented"
	case dns.RcodeRefused:
		return "Operation refused"
	case resolveTimedOut:
		return "Operation timed out"
	}
	return "Unknown error"
}

// resendInterval is how long one server has to answer before the next is asked.
const resendInterval = 5 * time.Second

// maxCNAMEs is how many names may stand for one another (NGX_RESOLVER_MAX_RECURSION).
const maxCNAMEs = 50

// Lookup finds the addresses of a name. log takes what is wrong with servers.
func (rc *Resolver) Lookup(ctx context.Context, log errlog.Logger, name string) ([]string, *Error) {
	addrs, _, err := rc.LookupUntil(ctx, log, name)
	return addrs, err
}

// LookupUntil is Lookup that tells how long the addresses hold.
func (rc *Resolver) LookupUntil(ctx context.Context, log errlog.Logger, name string) ([]string, time.Time, *Error) {
	if rc.Local {
		if addrs, err := net.DefaultResolver.LookupHost(ctx, name); err == nil {
			return addrs, time.Now().Add(rc.Valid), nil
		}
	}
	answer, err := rc.find(ctx, log, name, false)
	return answer.addrs, answer.expires, err
}

// find follows a name to its addresses, or to the servers of a service.
func (rc *Resolver) find(ctx context.Context, log errlog.Logger, name string, service bool) (nameAnswer, *Error) {
	asked := name
	for range maxCNAMEs + 1 {
		answer, first, ok := rc.cached(question{asked, service})
		if !ok {
			if !askable(asked) {
				break
			}
			a, code := rc.ask(ctx, log, asked, service, first)
			if code != 0 {
				return nameAnswer{}, &Error{name, code}
			}
			answer = rc.keep(question{asked, service}, a)
		}
		if answer.found() {
			return answer, nil
		}
		asked = Name(answer.cname)
	}
	return nameAnswer{}, &Error{name, dns.RcodeNameError}
}

// Name is a name as it is asked for: in lower case, without a final dot.
func Name(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// askable reports whether servers can be asked for a name: none of its labels is empty
// or longer than a length byte tells. Such names are known not to exist.
func askable(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 255 {
			return false
		}
	}
	return true
}

// cached finds a name in the cache; first is the server to ask when it is not there.
func (rc *Resolver) cached(name question) (answer nameAnswer, first int, ok bool) {
	c := &rc.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer, ok = c.answers[name]; ok && time.Now().Before(answer.expires) {
		return answer, 0, true
	}
	first = c.next
	c.next++
	return answer, first, false
}

// maxNameAnswers bounds a cache; a full one starts again.
const maxNameAnswers = 10000

// keep puts an answer into the cache, for as long as it or the directive says.
func (rc *Resolver) keep(name question, a dnsAnswer) nameAnswer {
	ttl := a.ttl
	if rc.Valid > 0 {
		ttl = rc.Valid
	}
	c := &rc.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) > maxNameAnswers {
		c.answers = map[question]nameAnswer{}
	}
	answer := nameAnswer{a, time.Now().Add(ttl)}
	c.answers[name] = answer
	return answer
}

// Parse reads what stands behind resolver: ADDRESS... [valid=TIME] [ipv4=on|off] [ipv6=on|off].
// Without newer ipv4= and local= are names of servers, as all that is no parameter is.
func Parse(args []string, newer bool) (*Resolver, error) {
	rc := &Resolver{IPv4: true, IPv6: true}
	for _, arg := range args {
		key, value, option := strings.Cut(arg, "=")
		ok := true
		switch {
		case !option, !newer && key != "valid" && key != "ipv6":
			if err := rc.AddServer(arg); err != nil {
				return nil, err
			}
		case key == "valid":
			rc.Valid, ok = ngxtext.ParseSeconds(value)
		case key == "ipv6":
			rc.IPv6, ok = value == "on", value == "on" || value == "off"
		case key == "ipv4":
			rc.IPv4, ok = value == "on", value == "on" || value == "off"
		case key == "local":
			rc.Local = value == "on"
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("invalid parameter: %s", arg)
		}
	}
	if len(rc.Servers) == 0 && !rc.Local {
		return nil, fmt.Errorf("no name servers defined")
	}
	return rc, nil
}

// serverLookup bounds the search for a name server's address at the start.
const serverLookup = 10 * time.Second

// AddServer adds a name server. One that is given by name is looked up now, by the
// system's means.
func (rc *Resolver) AddServer(text string) error {
	a, reason := inet.Parse(text, 53)
	switch {
	case reason != "":
		return fmt.Errorf("%s in resolver \"%s\"", reason, text)
	case a.Unix:
		return fmt.Errorf("resolver \"%s\": servers at unix domain sockets are not supported", text)
	case !a.Name:
		rc.Servers = append(rc.Servers, net.JoinHostPort(a.Host, strconv.Itoa(a.Port)))
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), serverLookup)
	defer cancel()
	name, _, _ := strings.Cut(a.Host, ":")
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil || len(found) == 0 {
		return fmt.Errorf("host not found in resolver \"%s\"", text)
	}
	for _, ip := range found {
		rc.Servers = append(rc.Servers, net.JoinHostPort(ip, strconv.Itoa(a.Port)))
	}
	return nil
}
