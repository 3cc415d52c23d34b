package core

import (
	"fmt"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// ThreadPool is a thread_pool: so many of its tasks run at once.
type ThreadPool struct {
	Threads chan struct{}
}

// defaultPoolThreads is the number of threads of the pool that needs no directive.
const defaultPoolThreads = 32

// poolUse is a directive that names a thread pool, which may come behind it.
type poolUse struct {
	name string
	at   *conf.Directive
}

// checkPools finds the first directive that names a pool that there is not.
func (c *Compiler) checkPools() error {
	for _, use := range c.poolsUsed {
		if c.Cycle.ThreadPools[use.name] == nil && use.name != "default" {
			return use.at.Errorf("unknown thread pool \"%s\"", use.name)
		}
	}
	return nil
}

// setThreadPool reads thread_pool NAME threads=N [max_queue=N].
func setThreadPool(c *Compiler, d *conf.Directive) error {
	name := d.Args[0]
	threads := 0
	for _, arg := range d.Args[1:] {
		key, value, given := strings.Cut(arg, "=")
		n, ok := ngxtext.ParseDecimal(value)
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
	case c.Cycle.ThreadPools[name] != nil:
		return fmt.Errorf("duplicate thread pool \"%s\"", name)
	case threads == 0 && name != "default":
		return fmt.Errorf("missing \"threads\" parameter")
	case threads == 0:
		threads = defaultPoolThreads
	}
	c.Cycle.ThreadPools[name] = &ThreadPool{Threads: make(chan struct{}, threads)}
	return nil
}
