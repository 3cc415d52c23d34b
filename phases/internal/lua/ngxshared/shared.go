// Package ngxshared is ngx.shared: the methods of shared dicts, and the dicts themselves.
package ngxshared

import (
	"fmt"
	"sync"
	"time"

	"github.com/moonphase/moonphase/phases/internal/lua/lib"
	"github.com/moonphase/moonphase/phases/shdict"
	rt "github.com/moonphase/moonphase/runtime"
)

// dictMethods is the methods of a shared dict.
var dictMethods = lib.Functions{
	{"get", dictGet},
	{"get_stale", dictGetStale},
	{"set", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictStore(th, args, shdict.Set) }},
	{"safe_set", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return dictStore(th, args, shdict.Set|shdict.Safe)
	}},
	{"add", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictStore(th, args, shdict.Add) }},
	{"safe_add", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return dictStore(th, args, shdict.Add|shdict.Safe)
	}},
	{"replace", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictStore(th, args, shdict.Replace) }},
	{"delete", dictDelete},
	{"incr", dictIncr},
	{"lpush", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictPush(th, args, true) }},
	{"rpush", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictPush(th, args, false) }},
	{"lpop", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictPop(th, args, true) }},
	{"rpop", func(th *rt.Thread, args []rt.Value) (rt.Value, int) { return dictPop(th, args, false) }},
	{"llen", dictLen},
	{"ttl", dictTTL},
	{"expire", dictExpire},
	{"flush_all", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		dictOf(th, args).FlushAll()
		return rt.Nil, 0
	}},
	{"flush_expired", dictFlushExpired},
	{"get_keys", dictGetKeys},
	{"capacity", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(dictOf(th, args).Capacity())), 1
	}},
	{"free_space", func(th *rt.Thread, args []rt.Value) (rt.Value, int) {
		return rt.Number(float64(dictOf(th, args).FreeSpace())), 1
	}},
}

// Table makes ngx.shared: an object for each lua_shared_dict.
func Table(dicts []*shdict.Dict) *rt.Table {
	meta := dictMethods.Table(1)
	meta.SetStr("__index", rt.TableValue(meta))
	t := rt.NewTable(0, len(dicts))
	for _, d := range dicts {
		object := rt.NewTable(1, 0)
		object.SetInt(1, rt.NewUserdata(d, nil))
		object.SetMeta(meta)
		t.SetStr(d.Name(), rt.TableValue(object))
	}
	return t
}

// dictOf is the dict that a method was called on.
func dictOf(th *rt.Thread, args []rt.Value) *shdict.Dict {
	if d := dictAt(args); d != nil {
		return d
	}
	th.Errorf("bad \"zone\" argument")
	return nil
}

func dictAt(args []rt.Value) *shdict.Dict {
	if len(args) == 0 || !args[0].IsTable() {
		return nil
	}
	v := args[0].Table().Int(1)
	if !v.IsUserdata() {
		return nil
	}
	d, _ := v.Userdata().Data.(*shdict.Dict)
	return d
}

// maxDictKey is the longest key in bytes.
const maxDictKey = 65535

// dictKey is the key argument; the message is for one that cannot be a key.
func dictKey(th *rt.Thread, args []rt.Value) (key, message string) {
	v := rt.ArgAt(args, 1)
	switch {
	case v.IsNil():
		return "", "nil key"
	case v.IsString():
		key = v.Str()
	default:
		key = lib.Text(th, v)
	}
	switch {
	case key == "":
		return "", "empty key"
	case len(key) > maxDictKey:
		return "", "key too long"
	}
	return key, ""
}

func valueOfDict(v shdict.Value) rt.Value {
	switch v.Kind {
	case shdict.String:
		return rt.String(v.Str)
	case shdict.Number:
		return rt.Number(v.Num)
	case shdict.Bool:
		return rt.Bool(v.Num != 0)
	}
	return rt.Nil
}

// dictOfLua is a Lua value to store; ok is false for a type that cannot be.
func dictOfLua(v rt.Value) (_ shdict.Value, ok bool) {
	switch {
	case v.IsString():
		return shdict.Value{Kind: shdict.String, Str: v.Str()}, true
	case v.IsNumber():
		return shdict.Value{Kind: shdict.Number, Num: v.Num()}, true
	case v.IsBool():
		n := 0.0
		if v.Truthy() {
			n = 1
		}
		return shdict.Value{Kind: shdict.Bool, Num: n}, true
	}
	return shdict.Value{}, v.IsNil()
}

func dictGet(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	v, flags, err := d.Get(key)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	if flags != 0 {
		return th.Return2(valueOfDict(v), rt.Int(int(flags)))
	}
	return valueOfDict(v), 1
}

func dictGetStale(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	v, flags, stale, err := d.GetStale(key)
	switch {
	case err != nil:
		return lib.Fail(th, err.Error())
	case v.Kind == shdict.Nil:
		return rt.Nil, 1
	case flags != 0:
		return th.Return3(valueOfDict(v), rt.Int(int(flags)), rt.Bool(stale))
	}
	return th.Return3(valueOfDict(v), rt.Nil, rt.Bool(stale))
}

// millis turns an argument in seconds into milliseconds.
func millis(th *rt.Thread, args []rt.Value, i int) int64 {
	return int64(th.CheckNumber(args, i) * 1000)
}

// dictStore is set, add, replace: (key, value, exptime, flags).
func dictStore(th *rt.Thread, args []rt.Value, mode shdict.Mode) (rt.Value, int) {
	d := dictOf(th, args)
	var ttl int64
	if rt.ArgAt(args, 3).Truthy() {
		if ttl = millis(th, args, 3); th.CheckNumber(args, 3) < 0 {
			th.Errorf("bad \"exptime\" argument")
		}
	}
	flags := 0
	if rt.ArgAt(args, 4).Truthy() {
		flags = th.CheckInt(args, 4)
	}
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	v, ok := dictOfLua(rt.ArgAt(args, 2))
	if !ok {
		return lib.Fail(th, "bad value type")
	}
	forcible, err := d.Store(mode, key, v, ttl, int32(flags))
	if err != nil {
		return th.Return3(rt.False, rt.String(err.Error()), rt.Bool(forcible))
	}
	return th.Return3(rt.True, rt.Nil, rt.Bool(forcible))
}

func dictDelete(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	forcible, err := d.Store(shdict.Set, key, shdict.Value{}, 0, 0)
	if err != nil {
		return th.Return3(rt.False, rt.String(err.Error()), rt.Bool(forcible))
	}
	return th.Return3(rt.True, rt.Nil, rt.Bool(forcible))
}

// dictIncr is incr(key, value, init, init_ttl).
func dictIncr(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	by := th.CheckNumber(args, 2)
	var init *float64
	if v := rt.ArgAt(args, 3); v.Truthy() {
		n, ok := rt.ToNumber(v)
		if !ok {
			th.Errorf("bad init arg: number expected, got %s", rt.TypeName(v))
		}
		init = &n
	}
	var ttl int64
	if v := rt.ArgAt(args, 4); !v.IsNil() {
		n, ok := rt.ToNumber(v)
		switch {
		case !ok:
			th.Errorf("bad init_ttl arg: number expected, got %s", rt.TypeName(v))
		case n < 0:
			th.Errorf("bad \"init_ttl\" argument")
		case init == nil:
			th.Errorf("must provide \"init\" when providing \"init_ttl\"")
		}
		ttl = int64(n * 1000)
	}
	n, forcible, err := d.Incr(key, by, init, ttl)
	switch {
	case err != nil:
		return lib.Fail(th, err.Error())
	case init == nil:
		return rt.Number(n), 1
	}
	return th.Return3(rt.Number(n), rt.Nil, rt.Bool(forcible))
}

// listCall checks the arguments of a list method: the dict, a key and more.
func listCall(th *rt.Thread, args []rt.Value, want int) (d *shdict.Dict, key, bad string) {
	if len(args) != want {
		th.Errorf("expecting %d arguments, but only seen %d", want, len(args))
	}
	if d = dictAt(args); d == nil {
		th.ArgError(0, "bad \"zone\" argument")
	}
	key, bad = dictKey(th, args)
	return d, key, bad
}

func dictPush(th *rt.Thread, args []rt.Value, front bool) (rt.Value, int) {
	d, key, bad := listCall(th, args, 3)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	v, _ := dictOfLua(args[2])
	if v.Kind != shdict.String && v.Kind != shdict.Number {
		return lib.Fail(th, "bad value type")
	}
	n, err := d.Push(key, v, front)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	return rt.Int(n), 1
}

func dictPop(th *rt.Thread, args []rt.Value, front bool) (rt.Value, int) {
	d, key, bad := listCall(th, args, 2)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	v, err := d.Pop(key, front)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	return valueOfDict(v), 1
}

func dictLen(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d, key, bad := listCall(th, args, 2)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	n, err := d.Len(key)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	return rt.Int(n), 1
}

func dictTTL(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	ms, err := d.TTL(key)
	if err != nil {
		return lib.Fail(th, err.Error())
	}
	return rt.Number(float64(ms) / 1000), 1
}

func dictExpire(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d := dictOf(th, args)
	if !rt.ArgAt(args, 2).Truthy() {
		th.Errorf("bad \"exptime\" argument")
	}
	key, bad := dictKey(th, args)
	if bad != "" {
		return lib.Fail(th, bad)
	}
	if err := d.Expire(key, millis(th, args, 2)); err != nil {
		return lib.Fail(th, err.Error())
	}
	return rt.True, 1
}

// countCall checks the arguments of get_keys and flush_expired.
func countCall(th *rt.Thread, args []rt.Value, def int) (*shdict.Dict, int) {
	if n := len(args); n != 1 && n != 2 {
		th.Errorf("expecting 1 or 2 argument(s), but saw %d", n)
	}
	if !args[0].IsTable() {
		th.ArgTypeError(args, 0, "table")
	}
	d := dictAt(args)
	if d == nil {
		th.Errorf("bad user data for the ngx_shm_zone_t pointer")
	}
	return d, th.OptInt(args, 1, def)
}

func dictFlushExpired(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d, limit := countCall(th, args, 0)
	return rt.Int(d.FlushExpired(max(limit, 0))), 1
}

func dictGetKeys(th *rt.Thread, args []rt.Value) (rt.Value, int) {
	d, limit := countCall(th, args, 1024)
	keys := d.Keys(max(limit, 0))
	t := rt.NewTable(len(keys), 0)
	for i, k := range keys {
		t.SetInt(i+1, rt.String(k))
	}
	return rt.TableValue(t), 1
}

// Dict is one lua_shared_dict of a configuration; the size is in bytes.
type Dict struct {
	Name string
	Size int64
}

// zones are the dicts of the process: they outlive a reload of the configuration, as
// nginx's shared memory does.
var zones = struct {
	sync.Mutex
	byName map[string]*shdict.Dict
}{byName: map[string]*shdict.Dict{}}

// Open finds or makes the dicts of a configuration, in its order. A dict whose size has
// changed starts empty. The error is that of a size in which nothing fits.
func Open(defs []Dict) ([]*shdict.Dict, error) {
	zones.Lock()
	defer zones.Unlock()
	dicts := make([]*shdict.Dict, len(defs))
	for i, def := range defs {
		d := zones.byName[def.Name]
		if d == nil || d.Capacity() != def.Size {
			var err error
			if d, err = shdict.New(def.Name, def.Size, nowMillis); err != nil {
				return nil, fmt.Errorf("ngx_slab_alloc() failed: %w in lua_shared_dict zone \"%s\"", err, def.Name)
			}
			zones.byName[def.Name] = d
		}
		dicts[i] = d
	}
	return dicts, nil
}

// nowMillis is the time in milliseconds of the Unix epoch.
func nowMillis() int64 { return time.Now().UnixMilli() }
