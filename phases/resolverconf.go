package phases

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/inet"
)

// setResolver reads resolver ADDRESS... [valid=TIME] [ipv4=on|off] [ipv6=on|off].
func setResolver(c *compiler, d *conf.Directive) error {
	if c.loc.resolver.set {
		return errDuplicate
	}
	rc := &resolverConf{IPv4: true, IPv6: true}
	for _, arg := range d.Args {
		key, value, option := strings.Cut(arg, "=")
		ok := true
		switch {
		case !option:
			if err := rc.addServer(arg); err != nil {
				return err
			}
		case key == "valid":
			rc.Valid, ok = parseSeconds(value)
		case key == "ipv6":
			rc.IPv6, ok = value == "on", value == "on" || value == "off"
		case key == "ipv4":
			rc.IPv4, ok = value == "on", value == "on" || value == "off"
		case key == "local":
			rc.Local = value == "on"
		case key == "status_zone":
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("invalid parameter: %s", arg)
		}
	}
	if len(rc.Servers) == 0 && !rc.Local {
		return fmt.Errorf("no name servers defined")
	}
	return c.loc.resolver.put(rc)
}

// serverLookup bounds the search for a name server's address at the start.
const serverLookup = 10 * time.Second

// addServer adds a name server. One that is given by name is looked up now, by the
// system's means.
func (rc *resolverConf) addServer(text string) error {
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
