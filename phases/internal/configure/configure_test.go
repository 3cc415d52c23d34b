package configure_test

import (
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/internal/configure"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// TestArguments: -V names what is there and nothing else.
func TestArguments(t *testing.T) {
	index := core.DirectiveIndex(modules.All())
	args := " " + configure.Arguments(modules.All()) + " "
	if !strings.HasPrefix(args, " --") {
		t.Errorf("%q does not begin with an argument", args)
	}
	for _, m := range configure.Modules {
		if !m.Standard && strings.Contains(args, " --with-"+m.Name+" ") != configure.Implemented(index[m.Directive]) {
			t.Errorf("--with-%s does not fit the directive %s", m.Name, m.Directive)
		}
	}
	for _, name := range []string{"ssl_password_file", "no_such_directive"} {
		if configure.Implemented(index[name]) {
			t.Errorf("%s counts as implemented", name)
		}
	}
	for _, name := range []string{"proxy_pass", "ssl_certificate", "thread_pool", "rewrite"} {
		if !configure.Implemented(index[name]) {
			t.Errorf("%s counts as missing", name)
		}
	}
}
