package lua

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"hash/crc32"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/internal/ngxtext"
	rt "github.com/moonphase/moonphase/runtime"
)

// ngxText is the functions on strings.
var ngxText = lib.Functions{
	{"escape_uri", ngxEscapeURI},
	{"unescape_uri", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(ngxtext.UnescapeArg(lib.TextOrEmpty(th, rt.ArgAt(args, 0)))), 1
	}},
	{"encode_args", ngxEncodeArgs},
	{"decode_args", ngxDecodeArgs},
	{"encode_base64", ngxEncodeBase64},
	{"decode_base64", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return stringOrNil(ngxtext.DecodeBase64(onlyString(th, args)))
	}},
	{"decode_base64mime", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return stringOrNil(ngxtext.DecodeBase64MIME(onlyString(th, args)))
	}},
	{"md5", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := md5.Sum([]byte(lib.TextOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(hex.EncodeToString(sum[:])), 1
	}},
	{"md5_bin", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := md5.Sum([]byte(lib.TextOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(string(sum[:])), 1
	}},
	{"sha1_bin", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := sha1.Sum([]byte(lib.TextOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(string(sum[:])), 1
	}},
	{"hmac_sha1", ngxHMACSHA1},
	{"crc32_short", ngxCRC32},
	{"crc32_long", ngxCRC32},
	{"quote_sql_str", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if len(args) != 1 {
			th.Errorf("expecting one argument")
		}
		return rt.String(ngxtext.QuoteSQL(th.CheckString(args, 0))), 1
	}},
}

func stringOrNil(s string, ok bool) (rt.Value, int) {
	if !ok {
		return rt.Nil, 1
	}
	return rt.String(s), 1
}

func onlyString(th *rt.Thread, args []rt.Value) string {
	v := rt.ArgAt(args, 0)
	if !v.IsString() {
		th.Errorf("string argument only")
	}
	return v.Str()
}

func ngxEncodeBase64(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := lib.TextOrEmpty(th, rt.ArgAt(args, 0))
	bare := rt.ArgAt(args, 1)
	if bare.Truthy() && !bare.IsBool() {
		th.Errorf("bad no_padding: boolean expected, got %s", rt.TypeName(bare))
	}
	return rt.String(ngxtext.EncodeBase64(s, !bare.Truthy())), 1
}

func ngxHMACSHA1(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 2 {
		th.Errorf("expecting 2 arguments, but got %d", len(args))
	}
	mac := hmac.New(sha1.New, []byte(th.CheckString(args, 0)))
	mac.Write([]byte(th.CheckString(args, 1)))
	return rt.String(string(mac.Sum(nil))), 1
}

func ngxCRC32(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	sum := crc32.ChecksumIEEE([]byte(lib.TextOrEmpty(th, rt.ArgAt(args, 0))))
	return rt.Number(float64(sum)), 1
}

// maxArgs is how many arguments and headers are read when no limit is given.
const maxArgs = 100
