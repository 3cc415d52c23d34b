package resty

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	rt "github.com/moonphase/moonphase/runtime"
)

// digest is one of the resty.md5, resty.sha1 ... modules.
type digest struct {
	name string
	new  func() hash.Hash
}

var digests = []digest{{"md5", md5.New}, {"sha1", sha1.New}, {"sha224", sha256.New224}, {"sha256", sha256.New}, {"sha384", sha512.New384}, {"sha512", sha512.New}}

// digestModule makes a module with new(), whose objects have update, final and
// reset.
func digestModule(d digest) *rt.Table {
	methods := rt.NewTable(0, 3)
	meta := rt.NewTable(0, 1)
	meta.SetStr("__index", rt.TableValue(methods))
	lib.Functions{
		{"update", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			h := hashOf(th, args)
			s := th.CheckString(args, 1)
			if n := th.OptInt(args, 2, len(s)); n >= 0 && n < len(s) {
				s = s[:n]
			}
			h.Write([]byte(s))
			return rt.True, 1
		}},
		{"final", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			return rt.String(string(hashOf(th, args).Sum(nil))), 1
		}},
		{"reset", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
			hashOf(th, args).Reset()
			return rt.True, 1
		}},
	}.AddTo(methods)
	return lib.Functions{{"new", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		t := rt.NewTable(1, 0)
		t.SetInt(1, rt.NewUserdata(d.new(), nil))
		t.SetMeta(meta)
		return rt.TableValue(t), 1
	}}}.Table(0)
}

func hashOf(th *rt.Thread, args []rt.Value) hash.Hash {
	if v := th.CheckTable(args, 0).Int(1); v.IsUserdata() {
		if h, ok := v.Userdata().Data.(hash.Hash); ok {
			return h
		}
	}
	th.ArgError(0, "digest object expected")
	return nil
}
