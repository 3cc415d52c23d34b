package manual

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/phases/internal/compat"
	"github.com/moonphase/moonphase/phases/internal/core"
	"github.com/moonphase/moonphase/phases/internal/modules"
)

// compiled compiles a configuration of one location with one more directive at the outermost level
// that it may stand in.
func compiled(t *testing.T, in core.Level, line string) (*core.Cycle, error) {
	t.Helper()
	at := map[core.Level]string{in & -in: line}
	text := fmt.Sprintf(`%s
		events { %s }
		http { %s
			upstream u { server 127.0.0.1:1; %s }
			server { listen 127.0.0.1:1; %s
				location / { %s } } }`,
		at[core.InMain], at[core.InEvents], at[core.InHTTP], at[core.InUpstream], at[core.InServer], at[core.InLocation])
	tree, err := conf.Parse("nginx.conf", "/", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return core.Compile(tree.Directives, core.CompileOptions{
		Prefix: "/nowhere/", ConfPath: "/nowhere/nginx.conf", Modules: modules.All(),
	})
}

// notCompared are defaults that the compiler has in another form than the directive gives.
var notCompared = map[string]string{
	"access_log":              "the default is made when requests are logged",
	"auth_basic":              "off is a realm of its own",
	"charset":                 "off is known as a character set",
	"client_body_temp_path":   "the default is the folder of the prefix",
	"error_log":               "the file is another one with each reading",
	"expires":                 "off is a text",
	"fastcgi_cache_use_stale": "off is a bit",
	"fastcgi_limit_rate":      "none is no text",
	"proxy_cookie_domain":     "off ends what stands around",
	"proxy_cookie_flags":      "off ends what stands around",
	"proxy_cookie_path":       "off ends what stands around",
	"proxy_limit_rate":        "none is no text",
	"proxy_cache_key":         "the default is made of each request",
	"proxy_cache_use_stale":   "off is a bit",
	"listen":                  "it adds an address",
	"log_format":              "combined is defined",
	"pid":                     "the default is the folder of the prefix",
	"proxy_redirect":          "it needs a proxy_pass before it",
	"proxy_ssl_name":          "the default is no text",
	"root":                    "the default is not below the prefix yet",
	"thread_pool":             "the pool is made when somebody asks for it",
}

// TestDefaults: a directive with its default changes nothing in what an empty configuration is compiled
// to, and with another value most do.
func TestDefaults(t *testing.T) {
	t.Run("newest", func(t *testing.T) { compareDefaults(t, defaults) })
	t.Run("oldest", func(t *testing.T) {
		t.Setenv(compat.Env, compat.Oldest().Release)
		older := maps.Clone(defaults)
		maps.Copy(older, olderDefaults)
		compareDefaults(t, older)
	})
}

func compareDefaults(t *testing.T, defaults map[string]string) {
	t.Helper()
	index := core.DirectiveIndex(modules.All())
	var list []string
	for name := range defaults {
		list = append(list, name)
	}
	sort.Strings(list)
	checked := 0
	for _, key := range list {
		name := strings.TrimPrefix(key, "upstream ")
		for _, row := range index[name] {
			if (row.In == core.InUpstream) != (key != name) || notCompared[name] != "" {
				continue
			}
			without, err := compiled(t, 0, "")
			if err != nil {
				t.Fatal(err)
			}
			with, err := compiled(t, row.In, name+" "+defaults[key]+";")
			var ce *conf.Error
			if errors.As(err, &ce) {
				later := strings.HasSuffix(ce.Msg, "is not allowed here") || strings.HasPrefix(ce.Msg, "unknown directive ")
				if later && os.Getenv(compat.Env) != "" {
					continue
				}
				t.Errorf("%s: %v", key, err)
				continue
			}
			checked++
			if diff := differ(reflect.ValueOf(without), reflect.ValueOf(with)); diff != "" {
				t.Errorf("%s is not the default: %s", key+" "+defaults[key], diff)
			}
		}
	}
	if checked < 150 {
		t.Errorf("only %d defaults were compared", checked)
	}
	a, _ := compiled(t, 0, "")
	b, _ := compiled(t, core.InHTTP, "proxy_read_timeout 61s;")
	if differ(reflect.ValueOf(a), reflect.ValueOf(b)) == "" {
		t.Error("another value is not seen")
	}
}

// unlike are fields that say how something was written, not what holds.
var unlike = []string{"Set", "written", "WithoutEffect"}

// differ gives the path to the first value in which two configurations differ. Whether a value was written
// is no difference, nor are functions and what is made of them.
func differ(a, b reflect.Value) string {
	seen := map[[2]uintptr]bool{}
	var walk func(path string, a, b reflect.Value) string
	walk = func(path string, a, b reflect.Value) string {
		if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
			return path
		}
		switch a.Kind() {
		case reflect.Pointer:
			if a.IsNil() != b.IsNil() {
				return path
			}
			at := [2]uintptr{a.Pointer(), b.Pointer()}
			if a.IsNil() || seen[at] {
				return ""
			}
			seen[at] = true
			return walk(path, a.Elem(), b.Elem())
		case reflect.Interface:
			if a.IsNil() != b.IsNil() {
				return path
			}
			if a.IsNil() {
				return ""
			}
			return walk(path, a.Elem(), b.Elem())
		case reflect.Struct:
			for i := range a.NumField() {
				f := a.Type().Field(i)
				tree := f.Type == reflect.TypeFor[*conf.Directive]()
				if !tree && !slices.Contains(unlike, f.Name) && !strings.HasPrefix(f.Type.PkgPath(), "sync") {
					if diff := walk(path+"."+f.Name, a.Field(i), b.Field(i)); diff != "" {
						return diff
					}
				}
			}
		case reflect.Slice, reflect.Array:
			if a.Len() != b.Len() {
				return fmt.Sprintf("%s has %d and %d", path, a.Len(), b.Len())
			}
			for i := range a.Len() {
				if diff := walk(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); diff != "" {
					return diff
				}
			}
		case reflect.Map:
			if a.Len() != b.Len() {
				return path
			}
			for _, k := range a.MapKeys() {
				if k.Kind() == reflect.String {
					if diff := walk(path+"["+k.String()+"]", a.MapIndex(k), b.MapIndex(k)); diff != "" {
						return diff
					}
				}
			}
		case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Invalid:
		default:
			if !a.Equal(b) {
				return fmt.Sprintf("%s is %v and %v", path, a, b)
			}
		}
		return ""
	}
	return walk("", a, b)
}
