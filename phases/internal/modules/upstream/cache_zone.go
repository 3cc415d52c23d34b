package upstream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
	"github.com/moonphase/moonphase/phases/internal/filecache"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	"github.com/moonphase/moonphase/runtime/guard"
)

// caches are the caches of a configuration, in the order of the file.
var caches = core.NewMainSlot[cacheList](nil)

type cacheList struct {
	list []*cacheZone
	stop chan struct{} // closed when the configuration is not served any more
	done sync.WaitGroup
}

// cacheZone is the data of a zone of keys.
type cacheZone struct {
	filecache.Config
	user  string // whose directive it is
	place string // "nginx.conf:1"
	cache *filecache.Cache
}

// zoneUser is what the family's zones of keys are used for.
func (f *Family) zoneUser() string { return f.Prefix + "cache" }

// namedCache finds a cache of the family by the name of its zone, nil without one.
func (f *Family) namedCache(c *core.Cycle, name string) *filecache.Cache {
	for _, z := range caches.Of(c).list {
		if z.user == f.zoneUser() && z.Zone == name {
			return z.cache
		}
	}
	return nil
}

// minKeys is the least size of a zone of keys, in bytes: two pages.
const minKeys = 2 * 4096

// setCachePath reads cache_path PATH [PARAMETER...] keys_zone=NAME:SIZE [PARAMETER...]
// (ngx_http_file_cache_set_slot).
func (s setters) setCachePath(c *core.Compiler, d *conf.Directive) error {
	z := &cacheZone{
		Config: filecache.Default(c.FullPath(strings.TrimSuffix(d.Args[0], "/"))),
		user:   s.zoneUser(), place: fmt.Sprintf("%s:%d", d.File, d.Line),
	}
	var size int64
	for _, arg := range d.Args[1:] {
		word, value, _ := strings.Cut(arg, "=")
		var ok bool
		switch word {
		case "levels":
			if z.Levels, ok = readLevels(value); !ok {
				return fmt.Errorf("invalid \"levels\" \"%s\"", arg)
			}
			continue
		case "keys_zone":
			if err := z.setKeys(arg, value, &size); err != nil {
				return err
			}
			continue
		case "use_temp_path":
			if value != "on" && value != "off" {
				return fmt.Errorf("invalid use_temp_path value \"%s\", it must be \"on\" or \"off\"", arg)
			}
			z.TempPath = value == "on"
			continue
		case "inactive":
			z.Inactive, ok = ngxtext.ParseSeconds(value)
		case "max_size":
			z.MaxSize, ok = ngxtext.ParseSize(value, true)
		case "min_free":
			z.MinFree, ok = ngxtext.ParseSize(value, true)
		default:
			set := z.pace(word)
			if set == nil {
				return fmt.Errorf("invalid parameter \"%s\"", arg)
			}
			ok = set(value)
		}
		if !ok {
			return fmt.Errorf("invalid %s value \"%s\"", word, arg)
		}
	}
	if z.Zone == "" || size == 0 {
		return fmt.Errorf("\"%s\" must have \"keys_zone\" parameter", d.Name)
	}
	zone, err := c.Zone(s.zoneUser(), z.Zone, size)
	switch {
	case err != nil:
		return err
	case zone.Data != nil:
		return fmt.Errorf("duplicate zone \"%s\"", z.Zone)
	}
	list := &caches.At(c).list
	for _, other := range *list {
		if other.Path == z.Path {
			return fmt.Errorf("the same path name \"%s\" used in %s and", z.Path, other.place)
		}
	}
	cycle := c.Cycle
	zone.Data = z
	zone.Init = func(zone *core.Zone, old any) error { return z.init(cycle, zone, old) }
	*list = append(*list, z)
	return nil
}

// setKeys reads NAME:SIZE.
func (z *cacheZone) setKeys(arg, value string, size *int64) error {
	name, text, _ := strings.Cut(value, ":")
	n, ok := ngxtext.ParseSize(text, false)
	switch {
	case !ok:
		return fmt.Errorf("invalid keys zone size \"%s\"", arg)
	case n < minKeys:
		return fmt.Errorf("keys zone \"%s\" is too small", arg)
	}
	z.Zone, *size = name, n
	return nil
}

// readLevels reads 1:2:2, the lengths of the names of folders.
func readLevels(value string) (levels []int, ok bool) {
	if value == "" {
		return nil, true
	}
	for level := range strings.SplitSeq(value, ":") {
		if level != "1" && level != "2" || len(levels) == 3 {
			return nil, false
		}
		levels = append(levels, int(level[0]-'0'))
	}
	return levels, true
}

// pace is what reads the value of a parameter of the loader or the manager, nil for one that
// is none.
func (z *cacheZone) pace(word string) func(value string) bool {
	who, what, _ := strings.Cut(word, "_")
	p := map[string]*filecache.Pace{"loader": &z.Loader, "manager": &z.Manager}[who]
	if p == nil {
		return nil
	}
	span := func(d *time.Duration) func(string) bool {
		return func(value string) (ok bool) { *d, ok = ngxtext.ParseTime(value); return ok }
	}
	switch what {
	case "files":
		return func(value string) bool {
			n, ok := ngxtext.ParseDecimal(value)
			p.Files = int(n)
			return ok
		}
	case "sleep":
		return span(&p.Sleep)
	case "threshold":
		return span(&p.Threshold)
	}
	return nil
}

// init makes the cache, upon what there was before a reload (ngx_http_file_cache_init).
func (z *cacheZone) init(c *core.Cycle, zone *core.Zone, old any) error {
	log := func(level errlog.Level, msg string) {
		if c.Log != nil {
			c.Log.Output(level, 0, msg)
		}
	}
	if was, ok := old.(*cacheZone); ok {
		switch {
		case was.Path != z.Path:
			return fmt.Errorf("cache \"%s\" uses the \"%s\" cache path while previously it used the \"%s\" cache path", z.Zone, z.Path, was.Path)
		case !slices.Equal(was.Levels, z.Levels):
			return fmt.Errorf("cache \"%s\" had previously different levels", z.Zone)
		}
		z.cache = was.cache.Keep(z.Config, log)
		return nil
	}
	if err := os.Mkdir(z.Path, 0o700); err == nil {
		if u := c.Main.Rights.User.V; u != nil {
			_ = os.Chown(z.Path, u.UID, u.GID)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("mkdir() \"%s\" failed (%s)", z.Path, conf.Errno(err))
	}
	z.cache = filecache.New(z.Config, zone.Size, log)
	return nil
}

// startCaches begins to load the caches and to keep them in bounds.
func startCaches(c *core.Cycle) {
	own := caches.Of(c)
	own.stop = make(chan struct{})
	for _, z := range own.list {
		for _, run := range []func(<-chan struct{}){z.cache.Load, z.cache.Manage} {
			own.done.Add(1)
			guard.Go(func() {
				defer own.done.Done()
				run(own.stop)
			})
		}
	}
}

// stopCaches ends what startCaches began.
func stopCaches(c *core.Cycle) {
	own := caches.Of(c)
	if own.stop != nil {
		close(own.stop)
		own.done.Wait()
		own.stop = nil
	}
}
