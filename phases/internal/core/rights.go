package core

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// ProcessRights is what nginx sets in each worker before it serves: whose rights
// it has and what the system lets it use. One process does both jobs here, so it
// gives up the rights of root for good: what a reload opens (a port below 1024, a
// new log file), it opens as the user.
type ProcessRights struct {
	User      Opt[*ServerUser]
	NoFiles   Opt[int]   // worker_rlimit_nofile
	CoreSize  Opt[int64] // worker_rlimit_core, bytes
	Priority  Opt[int]
	CPUs      Opt[[]int]  // worker_cpu_affinity: one set for the process
	Directory Opt[string] // working_directory
}

// ServerUser is whom the directive user names.
type ServerUser struct {
	Name     string
	UID, GID int
}

func rightsDirectives() []Directive {
	rights := func(m *MainConf) *ProcessRights { return &m.Rights }
	return []Directive{
		{"user", InMain, Take12, setUser},
		{"worker_rlimit_nofile", InMain, Take1, SetNumber(global(func(m *MainConf) *Opt[int] { return &rights(m).NoFiles }))},
		{"worker_rlimit_core", InMain, Take1, SetOffset(global(func(m *MainConf) *Opt[int64] { return &rights(m).CoreSize }))},
		{"worker_priority", InMain, Take1, setPriority},
		{"worker_cpu_affinity", InMain, TakeMore1, setAffinity},
		{"working_directory", InMain, Take1, SetText(global(func(m *MainConf) *Opt[string] { return &rights(m).Directory }))},
	}
}

// setUser finds the user and group at once, as nginx does, if there is anything to
// give up.
func setUser(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.Rights.User
	if f.Set {
		return ErrDuplicate
	}
	if os.Geteuid() != 0 {
		c.Warnf(d, "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored")
		return f.Put(nil)
	}
	u, err := user.Lookup(d.Args[0])
	if err != nil {
		f.Set = true
		return c.Missing(d, "getpwnam(\"%s\") failed", d.Args[0])
	}
	group := d.Args[len(d.Args)-1]
	g, err := user.LookupGroup(group)
	if err != nil {
		f.Set = true
		return c.Missing(d, "getgrnam(\"%s\") failed", group)
	}
	found := &ServerUser{Name: u.Username}
	if found.UID, err = strconv.Atoi(u.Uid); err != nil {
		return err
	}
	if found.GID, err = strconv.Atoi(g.Gid); err != nil {
		return err
	}
	return f.Put(found)
}

// Groups are all groups of the user, as initgroups(3) finds them.
func (u *ServerUser) Groups() ([]int, error) {
	found, err := user.LookupId(strconv.Itoa(u.UID))
	if err != nil {
		return nil, err
	}
	names, err := found.GroupIds()
	if err != nil {
		return nil, err
	}
	list := []int{u.GID}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && id != u.GID {
			list = append(list, id)
		}
	}
	return list, nil
}

func setPriority(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.Rights.Priority
	if f.Set {
		return ErrDuplicate
	}
	digits, minus := strings.CutPrefix(d.Args[0], "-")
	if !minus {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, ok := ngxtext.ParseDecimal(digits)
	if !ok {
		return DirectiveError("invalid number")
	}
	if minus {
		n = -n
	}
	return f.Put(int(n))
}

// setAffinity reads masks of processors, one a worker, or auto and one mask. The
// workers share the process, so its set is that of all of them.
func setAffinity(c *Compiler, d *conf.Directive) error {
	f := &c.Cycle.Main.Rights.CPUs
	if f.Set {
		return ErrDuplicate
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
	return f.Put(set)
}
