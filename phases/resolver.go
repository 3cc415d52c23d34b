package phases

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"

	rt "github.com/moonphase/moonphase/runtime"
)

// nameCache keeps what name servers answered, for one resolver directive.
type nameCache struct {
	mu      sync.Mutex
	answers map[string]nameAnswer
	next    int // server to ask first
}

type nameAnswer struct {
	addrs   []string
	expires time.Time
}

// A resolveError says why a name has no address, in nginx's words.
type resolveError struct {
	code int
	text string
}

func (e *resolveError) Error() string { return fmt.Sprintf("(%d: %s)", e.code, e.text) }

// errResolveTimeout is what nginx reports when no server answers in time.
var errResolveTimeout = &resolveError{110, "Operation timed out"}

// resolveErrors words the answers of servers that are no address.
var resolveErrors = map[int]string{1: "Format error", 2: "Server failure", 3: "Host not found", 4: "Unimplemented", 5: "Operation refused"}

// resendInterval is how long one server has to answer before the next is asked.
const resendInterval = 5 * time.Second

// lookup finds the addresses of a name.
func (rc *resolverConf) lookup(ctx context.Context, name string) ([]string, *resolveError) {
	if rc.Local {
		if addrs, err := net.DefaultResolver.LookupHost(ctx, name); err == nil {
			return addrs, nil
		}
	}
	c := &rc.cache
	c.mu.Lock()
	answer, ok := c.answers[name]
	first := c.next
	c.next++
	c.mu.Unlock()
	if ok && time.Now().Before(answer.expires) {
		return answer.addrs, nil
	}
	var addrs []string
	var failure *resolveError
	ttl := rc.Valid
	for _, kind := range rc.kinds() {
		found, seconds, err := rc.ask(ctx, name, kind, first)
		if err != nil {
			failure = err
			continue
		}
		addrs = append(addrs, found...)
		if rc.Valid == 0 && (ttl == 0 || seconds < ttl) {
			ttl = seconds
		}
	}
	if len(addrs) == 0 {
		if failure == nil {
			failure = &resolveError{dns.RcodeNameError, resolveErrors[dns.RcodeNameError]}
		}
		return nil, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) > maxNameAnswers {
		c.answers = map[string]nameAnswer{}
	}
	c.answers[name] = nameAnswer{addrs, time.Now().Add(ttl)}
	return addrs, nil
}

// maxNameAnswers bounds a cache; a full one starts again.
const maxNameAnswers = 10000

func (rc *resolverConf) kinds() []uint16 {
	var kinds []uint16
	if rc.IPv4 {
		kinds = append(kinds, dns.TypeA)
	}
	if rc.IPv6 {
		kinds = append(kinds, dns.TypeAAAA)
	}
	return kinds
}

// ask sends one question, to one server after the other, until one answers.
func (rc *resolverConf) ask(ctx context.Context, name string, kind uint16, first int) ([]string, time.Duration, *resolveError) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	for i := 0; ; i++ {
		server := rc.Servers[(first+i)%len(rc.Servers)]
		attempt, cancel := context.WithTimeout(ctx, resendInterval)
		a, err := exchangeDNS(attempt, q.Copy(), server)
		if err != nil {
			<-attempt.Done() // a server that refuses gets the time of a silent one
		}
		cancel()
		if err == nil {
			return readAnswer(a)
		}
		if ctx.Err() != nil {
			return nil, 0, errResolveTimeout
		}
	}
}

// exchangeDNS asks a server. It returns when ctx ends, even while the client library
// waits.
func exchangeDNS(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	type outcome struct {
		answer *dns.Msg
		err    error
	}
	done := make(chan outcome, 1)
	rt.Go(func() {
		client := dns.Client{Net: "udp", Timeout: resendInterval}
		a, _, err := client.ExchangeContext(ctx, q, server)
		if err == nil && a.Truncated {
			client.Net = "tcp"
			a, _, err = client.ExchangeContext(ctx, q, server)
		}
		done <- outcome{a, err}
	})
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func readAnswer(a *dns.Msg) ([]string, time.Duration, *resolveError) {
	if a.Rcode != dns.RcodeSuccess {
		text, ok := resolveErrors[a.Rcode]
		if !ok {
			text = "Unknown error"
		}
		return nil, 0, &resolveError{a.Rcode, text}
	}
	var addrs []string
	ttl := time.Hour
	for _, rr := range a.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			addrs = append(addrs, rr.A.String())
		case *dns.AAAA:
			addrs = append(addrs, rr.AAAA.String())
		default:
			continue
		}
		ttl = min(ttl, time.Duration(rr.Header().Ttl)*time.Second)
	}
	return addrs, ttl, nil
}

// errNoResolver is the case of a location without a resolver directive.
var errNoResolver = errors.New("no resolver")

// resolve finds one address of a name by the location's resolver.
func (l *Location) resolve(ctx context.Context, name string) (string, error) {
	rc := l.resolver.v
	if rc == nil || len(rc.Servers) == 0 {
		return "", errNoResolver
	}
	ctx, cancel := context.WithTimeout(ctx, l.resolverTimeout.v)
	defer cancel()
	addrs, failure := rc.lookup(ctx, name)
	if failure != nil {
		return "", failure
	}
	return addrs[rand.IntN(len(addrs))], nil
}
