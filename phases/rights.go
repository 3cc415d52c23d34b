package phases

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
)

// processRights is what nginx sets in each worker before it serves: whose rights
// it has and what the system lets it use. One process does both jobs here, so it
// gives up the rights of root for good: what a reload opens (a port below 1024, a
// new log file), it opens as the user.
type processRights struct {
	user      opt[*serverUser]
	noFiles   opt[int]   // worker_rlimit_nofile
	coreSize  opt[int64] // worker_rlimit_core, bytes
	priority  opt[int]
	cpus      opt[[]int]  // worker_cpu_affinity: one set for the process
	directory opt[string] // working_directory
}

// serverUser is whom the directive user names.
type serverUser struct {
	name     string
	uid, gid int
}

func rightsDirectives() []directive {
	rights := func(m *MainConf) *processRights { return &m.rights }
	return []directive{
		{"user", inMain, take12, setUser},
		{"worker_rlimit_nofile", inMain, take1, number(global(func(m *MainConf) *opt[int] { return &rights(m).noFiles }))},
		{"worker_rlimit_core", inMain, take1, offset(global(func(m *MainConf) *opt[int64] { return &rights(m).coreSize }))},
		{"worker_priority", inMain, take1, setPriority},
		{"worker_cpu_affinity", inMain, takeMore1, setAffinity},
		{"working_directory", inMain, take1, text(global(func(m *MainConf) *opt[string] { return &rights(m).directory }))},
	}
}

// setUser finds the user and group at once, as nginx does, if there is anything to
// give up.
func setUser(c *compiler, d *conf.Directive) error {
	f := &c.cycle.Main.rights.user
	if f.set {
		return errDuplicate
	}
	if os.Geteuid() != 0 {
		c.warnf(d, "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored")
		return f.put(nil)
	}
	u, err := user.Lookup(d.Args[0])
	if err != nil {
		f.set = true
		return c.missing(d, "getpwnam(\"%s\") failed", d.Args[0])
	}
	group := d.Args[len(d.Args)-1]
	g, err := user.LookupGroup(group)
	if err != nil {
		f.set = true
		return c.missing(d, "getgrnam(\"%s\") failed", group)
	}
	found := &serverUser{name: u.Username}
	if found.uid, err = strconv.Atoi(u.Uid); err != nil {
		return err
	}
	if found.gid, err = strconv.Atoi(g.Gid); err != nil {
		return err
	}
	return f.put(found)
}

// groups are all groups of the user, as initgroups(3) finds them.
func (u *serverUser) groups() ([]int, error) {
	found, err := user.LookupId(strconv.Itoa(u.uid))
	if err != nil {
		return nil, err
	}
	names, err := found.GroupIds()
	if err != nil {
		return nil, err
	}
	list := []int{u.gid}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && id != u.gid {
			list = append(list, id)
		}
	}
	return list, nil
}

func setPriority(c *compiler, d *conf.Directive) error {
	f := &c.cycle.Main.rights.priority
	if f.set {
		return errDuplicate
	}
	digits, minus := strings.CutPrefix(d.Args[0], "-")
	if !minus {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, ok := parseDecimal(digits)
	if !ok {
		return directiveError("invalid number")
	}
	if minus {
		n = -n
	}
	return f.put(int(n))
}

// setAffinity reads masks of processors, one a worker, or auto and one mask. The
// workers share the process, so its set is that of all of them.
func setAffinity(c *compiler, d *conf.Directive) error {
	f := &c.cycle.Main.rights.cpus
	if f.set {
		return errDuplicate
	}
	masks := d.Args
	if masks[0] == "auto" {
		if masks = masks[1:]; len(masks) > 1 {
			return fmt.Errorf("invalid number of arguments in \"%s\" directive", d.Name)
		}
	}
	var set []int
	for _, mask := range masks {
		for cpu, i := 0, len(mask)-1; i >= 0; i-- { // the last digit is the first processor
			switch digit := mask[i]; digit {
			case '1':
				set = append(set, cpu)
				cpu++
			case '0':
				cpu++
			case ' ':
			default:
				return fmt.Errorf("invalid character \"%c\" in \"%s\"", digit, d.Name)
			}
		}
	}
	return f.put(set)
}
