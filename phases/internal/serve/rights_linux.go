package serve

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/errlog"
)

// applyRights sets the limits and gives up the rights of root, in nginx's order. What
// only costs comfort is logged; an error means that the process must not serve.
func applyRights(r *core.ProcessRights, p *Process) error {
	alert := func(what string, err error) {
		if err != nil {
			p.log(errlog.Alert, fmt.Sprintf("%s failed (%s)", what, conf.Errno(err)))
		}
	}
	if r.Priority.Set {
		alert(fmt.Sprintf("setpriority(%d)", r.Priority.V), eachThread(func(tid int) error {
			return unix.Setpriority(unix.PRIO_PROCESS, tid, r.Priority.V)
		}))
	}
	if n := uint64(r.NoFiles.V); r.NoFiles.Set {
		alert(fmt.Sprintf("setrlimit(RLIMIT_NOFILE, %d)", n), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}))
	}
	if n := uint64(r.CoreSize.V); r.CoreSize.Set {
		alert(fmt.Sprintf("setrlimit(RLIMIT_CORE, %d)", n), syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: n, Max: n}))
	}
	if u := r.User.V; u != nil && os.Geteuid() == 0 {
		if err := become(u); err != nil {
			return err
		}
	}
	if len(r.CPUs.V) > 0 {
		var set unix.CPUSet
		for _, cpu := range r.CPUs.V {
			set.Set(cpu)
		}
		alert("sched_setaffinity()", eachThread(func(tid int) error { return unix.SchedSetaffinity(tid, &set) }))
	}
	if r.Directory.V != "" {
		if err := os.Chdir(r.Directory.V); err != nil {
			return fmt.Errorf("chdir(\"%s\") failed (%s)", r.Directory.V, conf.Errno(err))
		}
	}
	return nil
}

// become gives the process to the user; package syscall does so in all threads.
func become(u *core.ServerUser) error {
	groups, err := u.Groups()
	if err != nil {
		return fmt.Errorf("initgroups(%s, %d) failed (%s)", u.Name, u.GID, conf.Errno(err))
	}
	if err := syscall.Setgid(u.GID); err != nil {
		return fmt.Errorf("setgid(%d) failed (%s)", u.GID, conf.Errno(err))
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("initgroups(%s, %d) failed (%s)", u.Name, u.GID, conf.Errno(err))
	}
	if err := syscall.Setuid(u.UID); err != nil {
		return fmt.Errorf("setuid(%d) failed (%s)", u.UID, conf.Errno(err))
	}
	return nil
}

// eachThread makes a call whose effect is one thread's for all of them. A thread
// inherits from the one that made it, which may have been asked too late: so it
// looks again until there are no new ones.
func eachThread(call func(tid int) error) error {
	seen := map[string]bool{}
	for found := true; found; {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		found = false
		for _, task := range tasks {
			if seen[task.Name()] {
				continue
			}
			seen[task.Name()], found = true, true
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			if err := call(tid); err != nil && err != unix.ESRCH {
				return err
			}
		}
	}
	return nil
}
