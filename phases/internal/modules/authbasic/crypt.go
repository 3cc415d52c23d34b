package authbasic

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"

	shacrypt "github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/bcrypt"

	"github.com/moonphase/moonphase/phases/internal/ngxtext"
)

// maxPassword is from how many bytes on crypt(3) takes no password.
const maxPassword = 512

// check tells whether a password is the one that is stored. Kinds are nginx's own and
// those of Debian's crypt(3). One that nobody knows fits no password, as in nginx; one
// that crypt(3) knows and this does not is an error (ngx_crypt, crypt_r).
func check(password, stored string) (bool, error) {
	password, _, _ = strings.Cut(password, "\x00") // C's strings end there
	stored, _, _ = strings.Cut(stored, "\x00")
	switch {
	case strings.HasPrefix(stored, apr1Magic):
		return same(md5Crypt(apr1Magic, password, stored), stored), nil
	case strings.HasPrefix(stored, "{PLAIN}"):
		return same("{PLAIN}"+password, stored), nil
	case strings.HasPrefix(stored, "{SSHA}"):
		return same(saltedSHA(password, stored), stored), nil
	case strings.HasPrefix(stored, "{SHA}"):
		sum := sha1.Sum([]byte(password))
		return same("{SHA}"+base64.StdEncoding.EncodeToString(sum[:]), stored), nil
	case len(password) >= maxPassword:
		return false, nil
	}
	return crypt(password, stored)
}

func same(made, stored string) bool {
	return subtle.ConstantTimeCompare([]byte(made), []byte(stored)) == 1
}

// crypt is check for what crypt(3) stores.
func crypt(password, stored string) (bool, error) {
	if !strings.HasPrefix(stored, "$") {
		made, ok := desCrypt(password, stored)
		return ok && same(made, stored), nil
	}
	kind, _, ok := strings.Cut(stored[1:], "$")
	if !ok {
		return false, nil
	}
	kind, _, _ = strings.Cut(kind, ",")
	switch kind {
	case "1":
		return same(md5Crypt("$1$", password, stored), stored), nil
	case "5":
		return same(shaCrypt("$5$", sha256.New, password, stored), stored), nil
	case "6":
		return same(shaCrypt("$6$", sha512.New, password, stored), stored), nil
	case "2a", "2b", "2y":
		return bcryptSame(password, stored), nil
	case "y":
		made, err := yescrypt.Hash([]byte(password), []byte(stored))
		if err != nil {
			return false, fmt.Errorf("crypt() failed (%v)", err)
		}
		return same(string(made), stored), nil
	case "2x", "3", "7", "gy", "md5", "sha1":
		return false, fmt.Errorf("crypt() failed (passwords of kind \"$%s$\" are not supported)", kind)
	}
	return false, nil
}

// bcryptSame is crypt(3)'s $2a$, $2b$ and $2y$. Unlike the library it takes nothing
// behind the sum, and no bits behind the salt, whose last letter has only two.
func bcryptSame(password, stored string) bool {
	const length, lastOfSalt = 60, 28
	return len(stored) == length && strings.IndexByte(".Oeu", stored[lastOfSalt]) >= 0 &&
		bcrypt.CompareHashAndPassword([]byte(stored), []byte(password)) == nil
}

// saltedSHA is {SSHA}: SHA-1 of the password and the salt that stands behind the sum.
func saltedSHA(password, stored string) string {
	old, ok := ngxtext.DecodeBase64(stored[len("{SSHA}"):])
	salt := ""
	if ok && len(old) > sha1.Size {
		salt = old[sha1.Size:]
	}
	sum := sha1.Sum([]byte(password + salt))
	return "{SSHA}" + base64.StdEncoding.EncodeToString([]byte(string(sum[:])+salt))
}

const (
	apr1Magic = "$apr1$"
	alphabet  = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	md5Salt   = 8 // bytes of salt at most
	shaSalt   = 16
)

// md5Crypt is crypt(3)'s $1$, and with another magic Apache's $apr1$
// (ngx_crypt_apr1).
func md5Crypt(magic, password, stored string) string {
	salt, _, _ := strings.Cut(stored[len(magic):], "$")
	salt = salt[:min(len(salt), md5Salt)]
	inner := md5.Sum([]byte(password + salt + password))
	h := md5.New()
	h.Write([]byte(password + magic + salt))
	for n := len(password); n > 0; n -= md5.Size {
		h.Write(inner[:min(n, md5.Size)])
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write([]byte{0})
		} else {
			h.Write([]byte(password[:1]))
		}
	}
	sum := h.Sum(nil)
	for i := range 1000 {
		sum = md5Round(h, i, sum, password, salt)
	}
	out := []byte(magic + salt + "$")
	for _, at := range [5][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out = to64(out, uint32(sum[at[0]])<<16|uint32(sum[at[1]])<<8|uint32(sum[at[2]]), 4)
	}
	return string(to64(out, uint32(sum[11]), 2))
}

// md5Round is one of the rounds that make md5Crypt slow.
func md5Round(h hash.Hash, i int, sum []byte, password, salt string) []byte {
	h.Reset()
	first, last := sum, []byte(password)
	if i&1 != 0 {
		first, last = last, first
	}
	h.Write(first)
	if i%3 != 0 {
		h.Write([]byte(salt))
	}
	if i%7 != 0 {
		h.Write([]byte(password))
	}
	h.Write(last)
	return h.Sum(nil)
}

// to64 adds n letters of crypt(3)'s alphabet, the lowest six bits first.
func to64(out []byte, v uint32, n int) []byte {
	for range n {
		out = append(out, alphabet[v&63])
		v >>= 6
	}
	return out
}

// shaCrypt is crypt(3)'s $5$ and $6$; "" for a setting that it does not take.
func shaCrypt(magic string, of func() hash.Hash, password, stored string) string {
	head, rest, rounds := magic, stored[len(magic):], 5000
	if text, ok := strings.CutPrefix(rest, "rounds="); ok {
		number, after, ok := strings.Cut(text, "$")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || number[0] < '1' || n < 1000 || n > 999_999_999 {
			return ""
		}
		head, rest, rounds = head+"rounds="+number+"$", after, n
	}
	salt, _, _ := strings.Cut(rest, "$")
	salt = salt[:min(len(salt), shaSalt)]
	return head + salt + "$" + string(shacrypt.KeySHACrypt(of, []byte(password), []byte(salt), rounds))
}
