package phases

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// threadPool is a thread_pool: so many of its tasks run at once.
type threadPool struct {
	threads chan struct{}
}

// defaultPoolThreads is the number of threads of the pool that needs no directive.
const defaultPoolThreads = 32

// setThreadPool reads thread_pool NAME threads=N [max_queue=N].
func setThreadPool(c *compiler, d *conf.Directive) error {
	name := d.Args[0]
	threads := 0
	for _, arg := range d.Args[1:] {
		key, value, given := strings.Cut(arg, "=")
		n, ok := parseDecimal(value)
		switch {
		case key == "threads" && given:
			threads, ok = int(n), ok && n > 0
		case key == "max_queue" && given:
		default:
			return fmt.Errorf("invalid parameter \"%s\"", arg)
		}
		if !ok {
			return fmt.Errorf("invalid %s value \"%s\"", key, arg)
		}
	}
	switch {
	case c.cycle.threadPools[name] != nil:
		return fmt.Errorf("duplicate thread pool \"%s\"", name)
	case threads == 0 && name != "default":
		return fmt.Errorf("missing \"threads\" parameter")
	case threads == 0:
		threads = defaultPoolThreads
	}
	c.cycle.threadPools[name] = &threadPool{threads: make(chan struct{}, threads)}
	return nil
}
