package phases

import (
	"strings"
	"testing"
)

// TestConfigureArguments: -V names what is there and nothing else.
func TestConfigureArguments(t *testing.T) {
	index := directiveIndex(allModules())
	args := " " + configureArguments(allModules()) + " "
	if !strings.HasPrefix(args, " --") {
		t.Errorf("%q does not begin with an argument", args)
	}
	for _, m := range nginxModules {
		if !m.standard && strings.Contains(args, " --with-"+m.name+" ") != acts(index[m.directive]) {
			t.Errorf("--with-%s does not fit the directive %s", m.name, m.directive)
		}
	}
	for _, name := range []string{"proxy_cache", "no_such_directive"} {
		if acts(index[name]) {
			t.Errorf("%s counts as implemented", name)
		}
	}
	for _, name := range []string{"proxy_pass", "ssl_certificate", "thread_pool", "rewrite"} {
		if !acts(index[name]) {
			t.Errorf("%s counts as missing", name)
		}
	}
}
