package core

import (
	"strings"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// BasicAuth is the name and the password of the request's Authorization: Basic.
// ok is false without one that can be read, and for an empty name
// (ngx_http_auth_basic_user).
func (r *Request) BasicAuth() (user, password string, ok bool) {
	const scheme = "basic "
	auth, found := r.In.Get("Authorization")
	if !found || len(auth) < len(scheme) || !ngxtext.EqualFold(auth[:len(scheme)], scheme) {
		return "", "", false
	}
	plain, ok := ngxtext.DecodeBase64(strings.TrimLeft(auth[len(scheme):], " "))
	if !ok {
		return "", "", false
	}
	user, password, ok = strings.Cut(plain, ":")
	if !ok || user == "" {
		return "", "", false
	}
	return user, password, true
}

func remoteUser(r *Request) (string, bool) {
	user, _, ok := r.BasicAuth()
	return user, ok
}
