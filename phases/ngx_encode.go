package phases

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"strings"

	rt "github.com/moonphase/moonphase/runtime"
)

// ngxText is the functions on strings.
var ngxText = lib{
	{"escape_uri", ngxEscapeURI},
	{"unescape_uri", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.String(unescapeArg(textOrEmpty(th, rt.ArgAt(args, 0)))), 1
	}},
	{"encode_args", ngxEncodeArgs},
	{"decode_args", ngxDecodeArgs},
	{"encode_base64", ngxEncodeBase64},
	{"decode_base64", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return stringOrNil(decodeBase64(onlyString(th, args)))
	}},
	{"decode_base64mime", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return stringOrNil(decodeBase64MIME(onlyString(th, args)))
	}},
	{"md5", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := md5.Sum([]byte(textOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(hex.EncodeToString(sum[:])), 1
	}},
	{"md5_bin", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := md5.Sum([]byte(textOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(string(sum[:])), 1
	}},
	{"sha1_bin", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		sum := sha1.Sum([]byte(textOrEmpty(th, rt.ArgAt(args, 0))))
		return rt.String(string(sum[:])), 1
	}},
	{"hmac_sha1", ngxHMACSHA1},
	{"crc32_short", ngxCRC32},
	{"crc32_long", ngxCRC32},
	{"quote_sql_str", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		if len(args) != 1 {
			th.Errorf("expecting one argument")
		}
		return rt.String(quoteSQL(th.CheckString(args, 0))), 1
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

func ngxEscapeURI(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := textOrEmpty(th, rt.ArgAt(args, 0))
	kind := escapeTypeComponent
	if v := rt.ArgAt(args, 1); !v.IsNil() {
		if !v.IsNumber() {
			raiseAt(th, 2, "\"type\" is not a number")
		}
		if !(v.Num() >= 0 && v.Num() <= 6) {
			raiseAt(th, 2, "\"type\" "+rt.NumberString(v.Num())+" out of range")
		}
		kind = int(v.Num())
	}
	return rt.String(luaEscapeURI(s, kind)), 1
}

func ngxEncodeBase64(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	s := textOrEmpty(th, rt.ArgAt(args, 0))
	bare := rt.ArgAt(args, 1)
	if bare.Truthy() && !bare.IsBool() {
		th.Errorf("bad no_padding: boolean expected, got %s", rt.TypeName(bare))
	}
	return rt.String(encodeBase64(s, !bare.Truthy())), 1
}

// decodeBase64MIME skips what is not in the alphabet, up to the first '='.
func decodeBase64MIME(s string) (string, bool) {
	s, _, _ = strings.Cut(s, "=")
	clean := strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			return c
		}
		return -1
	}, s)
	if len(clean)%4 == 1 {
		return "", false
	}
	b, err := base64.RawStdEncoding.DecodeString(clean)
	return string(b), err == nil
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
	sum := crc32.ChecksumIEEE([]byte(textOrEmpty(th, rt.ArgAt(args, 0))))
	return rt.Number(float64(sum)), 1
}

func ngxEncodeArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 {
		th.Errorf("expecting 1 argument but seen %d", len(args))
	}
	return rt.String(encodeArgs(th, th.CheckTable(args, 0))), 1
}

// encodeArgs makes a query string of a table; the order is the table's. Of a table
// as value all elements count, whatever their keys.
func encodeArgs(th *rt.Thread, t *rt.Table) string {
	var b []byte
	for k, v, _ := t.Next(rt.Nil); !k.IsNil(); k, v, _ = t.Next(k) {
		if !k.IsString() {
			th.Errorf("attempt to use a non-string key in the \"args\" option table")
		}
		if !v.IsTable() {
			b = appendArg(th, b, k.Str(), v)
			continue
		}
		for i, elem, _ := v.Table().Next(rt.Nil); !i.IsNil(); i, elem, _ = v.Table().Next(i) {
			b = appendArg(th, b, k.Str(), elem)
		}
	}
	return string(b)
}

// appendArg appends one key with a value that is not a table.
func appendArg(th *rt.Thread, b []byte, key string, v rt.Value) []byte {
	switch {
	case v.IsString(), v.IsNumber():
		b = appendArgKey(b, key)
		b = append(b, '=')
		return appendEscaped(b, luaText(th, v), escapeTypeComponent)
	case v.IsBool() && v.Truthy():
		return appendArgKey(b, key)
	case v.IsBool():
		return b
	}
	th.Errorf("attempt to use %s as query arg value", rt.TypeName(v))
	return nil
}

func appendArgKey(b []byte, key string) []byte {
	if len(b) > 0 {
		b = append(b, '&')
	}
	return appendEscaped(b, key, escapeTypeComponent)
}

func ngxDecodeArgs(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	if len(args) != 1 && len(args) != 2 {
		th.Errorf("expecting 1 or 2 arguments but seen %d", len(args))
	}
	s := th.CheckString(args, 0)
	return decodeArgs(th, luaCtx(th), s, th.OptInt(args, 1, maxArgs), rt.NewTable(0, 4))
}

// maxArgs is how many arguments and headers are read when no limit is given.
const maxArgs = 100

// decodeArgs reads a query string into t.
func decodeArgs(th *rt.Thread, c *LuaCtx, s string, limit int, t *rt.Table) (rt.Value, int) {
	truncated := eachArg(s, limit, func(key, value string, hasValue bool) {
		v := rt.True
		if hasValue {
			v = rt.String(value)
		}
		addMulti(t, rt.String(key), v)
	})
	if truncated {
		c.logf(LogDebug, "lua hit query args limit %d", limit)
		return th.Return2(rt.TableValue(t), rt.String("truncated"))
	}
	return rt.TableValue(t), 1
}

// addMulti sets t[k] = v, collecting the values of a repeated key in an array.
func addMulti(t *rt.Table, k, v rt.Value) {
	switch old := t.Get(k); {
	case old.IsNil():
		t.Set(k, v)
	case old.IsTable():
		old.Table().Append(v)
	default:
		t.Set(k, rt.NewArray(old, v))
	}
}
