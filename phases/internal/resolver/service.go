package resolver

import (
	"context"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// Target is an address of a service.
type Target struct {
	Addr     string // without a port
	Port     int
	Name     string // of its host
	Priority int    // the lower, the sooner
	Weight   int
}

// ServiceName is what name servers are asked for: a service without a dot is one over TCP.
func ServiceName(service, name string) string {
	if !strings.Contains(service, ".") {
		service = "_" + service + "._tcp"
	}
	return Name(service + "." + name)
}

// LookupService finds the addresses of a service of a name, and how long they hold.
// lost says which of its hosts have none.
func (rc *Resolver) LookupService(ctx context.Context, log errlog.Logger, service, name string) (targets []Target, lost []*Error, until time.Time, err *Error) {
	answer, err := rc.find(ctx, log, ServiceName(service, name), true)
	if err != nil {
		return nil, nil, until, err
	}
	until = answer.expires
	for _, s := range answer.services {
		host := Name(s.Target)
		addrs, expires, failure := rc.LookupUntil(ctx, log, host)
		if failure != nil {
			lost = append(lost, failure)
			continue
		}
		if expires.Before(until) {
			until = expires
		}
		for _, addr := range addrs {
			targets = append(targets, Target{addr, int(s.Port), host, int(s.Priority), int(s.Weight)})
		}
	}
	if len(targets) == 0 {
		err = &Error{name, dns.RcodeNameError}
		for _, failure := range lost {
			if err.code = failure.code; failure.NotFound() {
				break
			}
		}
	}
	return targets, lost, until, err
}
