//go:build !linux

package sources

import "syscall"

// modified is when the file's content last changed.
func modified(st *syscall.Stat_t) syscall.Timespec { return st.Mtimespec }

// changed is when the file's content or anything about it last changed.
func changed(st *syscall.Stat_t) syscall.Timespec { return st.Ctimespec }
