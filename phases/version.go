package phases

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
)

// printVersion answers -v, -V and -h on the standard error. The first line is nginx's,
// because scripts read it; the second says what serves. Test suites look for the words
// "built with OpenSSL" and "pcre" in -V to know what to expect: the lines that have them
// say what is there instead.
func printVersion(o options, b program) {
	fmt.Fprintf(os.Stderr, "nginx version: nginx/%s\n", nginxVersion)
	fmt.Fprintf(os.Stderr, "moonphase version: %s\n", cmp.Or(b.version, "unknown"))
	if o.help {
		fmt.Fprint(os.Stderr, usage)
	}
	if o.configure {
		index, missing := directiveIndex(b.modules), ""
		for _, m := range nginxModules {
			if m.standard && !acts(index[m.directive]) {
				missing += " " + m.name
			}
		}
		fmt.Fprintf(os.Stderr, "built by %s %s/%s\n"+
			"TLS by Go's crypto/tls, which answers as if built with OpenSSL 3.0.19\n"+
			"regular expressions by regexp2, in the syntax of pcre\n"+
			"TLS SNI support enabled\nconfigure arguments: %s\nleft out:%s\n",
			runtime.Version(), runtime.GOOS, runtime.GOARCH, configureArguments(b.modules), missing)
	}
}
