package conf

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// Errno renders a system error as nginx does: "2: No such file or directory". Of
// another error it is the text.
func Errno(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	return strconv.Itoa(int(no)) + ": " + Strerror(no)
}

// Strerror is the C library's text of a system error. Go's own texts begin with a
// small letter ("no such file or directory"), and log readers compare; on some
// systems they are other words, so those that a server meets stand below.
func Strerror(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	if text, ok := errnoText[no]; ok {
		return text
	}
	text := no.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

var errnoText = map[syscall.Errno]string{
	syscall.EPERM:           "Operation not permitted",
	syscall.ENOENT:          "No such file or directory",
	syscall.ESRCH:           "No such process",
	syscall.EINTR:           "Interrupted system call",
	syscall.EIO:             "Input/output error",
	syscall.EBADF:           "Bad file descriptor",
	syscall.EAGAIN:          "Resource temporarily unavailable",
	syscall.ENOMEM:          "Cannot allocate memory",
	syscall.EACCES:          "Permission denied",
	syscall.EEXIST:          "File exists",
	syscall.ENOTDIR:         "Not a directory",
	syscall.EISDIR:          "Is a directory",
	syscall.EINVAL:          "Invalid argument",
	syscall.ENFILE:          "Too many open files in system",
	syscall.EMFILE:          "Too many open files",
	syscall.ENOSPC:          "No space left on device",
	syscall.EROFS:           "Read-only file system",
	syscall.EPIPE:           "Broken pipe",
	syscall.ENAMETOOLONG:    "File name too long",
	syscall.ELOOP:           "Too many levels of symbolic links",
	syscall.EPROTO:          "Protocol error",
	syscall.EADDRINUSE:      "Address already in use",
	syscall.EADDRNOTAVAIL:   "Cannot assign requested address",
	syscall.ENETDOWN:        "Network is down",
	syscall.ENETUNREACH:     "Network is unreachable",
	syscall.ECONNABORTED:    "Software caused connection abort",
	syscall.ECONNRESET:      "Connection reset by peer",
	syscall.ENOTCONN:        "Transport endpoint is not connected",
	syscall.ETIMEDOUT:       "Connection timed out",
	syscall.ECONNREFUSED:    "Connection refused",
	syscall.EHOSTDOWN:       "Host is down",
	syscall.EHOSTUNREACH:    "No route to host",
	syscall.EALREADY:        "Operation already in progress",
	syscall.EINPROGRESS:     "Operation now in progress",
	syscall.ENOTSOCK:        "Socket operation on non-socket",
	syscall.EMSGSIZE:        "Message too long",
	syscall.EPROTOTYPE:      "Protocol wrong type for socket",
	syscall.EPROTONOSUPPORT: "Protocol not supported",
	syscall.EAFNOSUPPORT:    "Address family not supported by protocol",
}
