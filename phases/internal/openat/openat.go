// Package openat opens files whose paths must not lead through symbolic links of
// strangers (ngx_open_file_cache.c, disable_symlinks).
package openat

// Links says which symbolic links on the way to a file make its opening fail.
type Links int

const (
	Allowed Links = iota
	Owned         // a link and what it points to must have the same owner
	Forbidden
)
