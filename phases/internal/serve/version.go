package serve

import (
	"cmp"
	"fmt"
	"os"
	"runtime"

	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/configure"
	"github.com/moonphase/moonphase/phases/internal/core"
)

// printVersion answers -v, -V and -h on the standard error. The first line is nginx's,
// because scripts read it; the second says what serves. Test suites look for the words
// "built with OpenSSL" and "pcre" in -V to know what to expect: the lines that have them
// say what is there instead.
func printVersion(o options, b Program) {
	stack, err := compat.Choose("")
	if err != nil {
		stack = compat.Newest()
	}
	fmt.Fprintf(os.Stderr, "nginx version: %s\n", stack.Product)
	fmt.Fprintf(os.Stderr, "moonphase version: %s\n", cmp.Or(b.Version, "unknown"))
	if o.help {
		fmt.Fprint(os.Stderr, usage)
	}
	if o.configure {
		index, missing := core.DirectiveIndex(b.Modules), ""
		for _, m := range configure.Modules {
			if m.Standard && !configure.Implemented(index[m.Directive]) {
				missing += " " + m.Name
			}
		}
		fmt.Fprintf(os.Stderr, "built by %s %s/%s\n"+
			"TLS by Go's crypto/tls, which answers as if built with OpenSSL 3.0.19\n"+
			"regular expressions by regexp2, in the syntax of pcre\n"+
			"TLS SNI support enabled\nconfigure arguments: %s\nleft out:%s\n",
			runtime.Version(), runtime.GOOS, runtime.GOARCH, configure.Arguments(b.Modules), missing)
	}
}
